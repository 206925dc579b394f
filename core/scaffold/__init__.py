"""`voicera plugin new` and `voicera plugin migration`: what writes files for the author of a plugin."""
