"""The table of this plugin; after a change run `voicera plugin migration short_calls`."""

from piccolo.columns import UUID, Integer, Timestamptz
from piccolo.table import Table


class Note(Table, tablename="short_calls_notes"):
    """A noted call. Its key is (owner_id, id): an owner comes first in every key."""

    id = UUID(primary_key=True, default=None)
    owner_id = UUID(default=None)
    seconds = Integer(default=0)
    noted_at = Timestamptz()
