"""Its table."""


async def flag(connection, owner_id, call_ids):
    await connection.executemany("INSERT INTO short_calls VALUES ($1, $2)", [(owner_id, one) for one in call_ids])


async def flagged(resources, owner_id):
    async with resources.db.connection() as connection:
        return [row[0] for row in await connection.fetch("SELECT id FROM short_calls WHERE owner_id = $1", owner_id)]


async def count(resources):
    async with resources.db.connection() as connection:
        await connection.fetchval("SELECT count(*) FROM short_calls")
