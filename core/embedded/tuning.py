"""PostgreSQL's parameters for the machine it runs on.

It shares the machine with the API, with Valkey and SeaweedFS, and often with somebody's browser, so it takes an
eighth of the memory for itself and no more than a gigabyte. Nothing here weakens durability.
"""

from __future__ import annotations

MEBIBYTE = 1 << 20
SPARE_CONNECTIONS = 20  # for migrations, `voicera` commands, psql and a worker that is being replaced


def parameters(memory: int, cores: int, connections: int) -> dict[str, str]:
    """Return the parameters for so many bytes of memory, cores, and connections that the workers may open."""
    most = max(50, connections + SPARE_CONNECTIONS)
    return {
        "max_connections": str(most),
        "shared_buffers": _mebibytes(memory // 8, 64, 1024),
        "effective_cache_size": _mebibytes(memory // 2, 256, 1 << 16),
        "work_mem": _mebibytes(memory // (most * 8), 4, 32),
        "maintenance_work_mem": _mebibytes(memory // 32, 32, 512),
        "wal_buffers": "16MB",
        "min_wal_size": "256MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "on",
        "random_page_cost": "1.1",
        "max_worker_processes": str(max(8, cores)),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(min(4, cores // 2)),
        "max_parallel_maintenance_workers": str(min(4, max(1, cores // 2))),
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }


def _mebibytes(amount: int, least: int, most: int) -> str:
    return f"{min(max(amount // MEBIBYTE, least), most)}MB"
