"""The storage rules of RDS for PostgreSQL, per volume type.

Source: RDS User Guide, "Amazon RDS DB instance storage". Below 400 GiB a gp3 volume has a fixed
3,000 IOPS and 125 MiB/s, and neither may be given; from 400 GiB the floor is 12,000 and 500.
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.rds import faults

LARGE = 400
_MOST = 65536
_LEAST = {"gp2": 20, "gp3": 20, "io1": 100, "io2": 100, "standard": 10}
_GP3_MOST_IOPS = 64000
_GP3_MOST_THROUGHPUT = 4000
_IO_IOPS = (1000, 256000)


@dataclass(frozen=True, slots=True)
class Storage:
    """A volume as it was asked for."""

    kind: str
    size: int
    iops: int | None = None
    throughput: int | None = None


def provisioned(asked: Storage) -> dict[str, object]:
    """Return the attributes of the volume; raise the fault when it cannot be."""
    if asked.kind not in _LEAST:
        raise faults.invalid_value(f"Invalid storage type: {asked.kind}")
    least = _LEAST[asked.kind]
    if not least <= asked.size <= _MOST:
        raise faults.invalid_value(
            f"Invalid storage size for engine name postgres and storage type {asked.kind}: "
            f"{asked.size}"
        )
    iops, throughput = _performance(asked)
    return {
        "StorageType": asked.kind,
        "AllocatedStorage": asked.size,
        "Iops": iops,
        "StorageThroughput": throughput,
    }


def _performance(asked: Storage) -> tuple[int | None, int | None]:
    if asked.kind == "gp3":
        return _gp3(asked)
    if asked.kind in {"io1", "io2"}:
        low, high = _IO_IOPS
        if asked.iops is None or not low <= asked.iops <= high:
            raise faults.invalid_combination(
                f"The storage type {asked.kind} needs Iops from {low} to {high}."
            )
        return asked.iops, None
    if asked.iops is not None or asked.throughput is not None:
        raise faults.invalid_combination(
            f"You can't specify IOPS or storage throughput for storage type {asked.kind}."
        )
    return None, None


def _gp3(asked: Storage) -> tuple[int, int]:
    if asked.size < LARGE:
        if asked.iops is not None or asked.throughput is not None:
            raise faults.invalid_combination(
                "You can't specify IOPS or storage throughput for engine postgres and a storage "
                "size less than 400."
            )
        return 3000, 125
    iops = 12000 if asked.iops is None else asked.iops
    throughput = 500 if asked.throughput is None else asked.throughput
    if not 12000 <= iops <= _GP3_MOST_IOPS:  # noqa: PLR2004  # the floor named above
        raise faults.invalid_value(f"Invalid IOPS value {iops} for storage type gp3.")
    if not 500 <= throughput <= _GP3_MOST_THROUGHPUT:  # noqa: PLR2004  # the floor named above
        raise faults.invalid_value(f"Invalid storage throughput {throughput} for gp3.")
    return iops, throughput


def check_ceiling(size: int, ceiling: int | None) -> None:
    """Raise the fault when the autoscaling ceiling is not above the size by a tenth."""
    if ceiling is not None and ceiling < size * 1.1:
        raise faults.invalid_combination(
            "Invalid max storage size for engine name postgres and storage type: "
            f"{ceiling}. It must be at least 10 % above the allocated storage {size}."
        )


def check_growth(current: int, wanted: int) -> None:
    """Raise the fault when storage would shrink or grow by less than a tenth."""
    if wanted < current:
        raise faults.invalid_combination(
            f"Requested storage size ({wanted}) cannot be smaller than the current storage "
            f"size ({current})."
        )
    if wanted != current and wanted < current * 1.1:
        raise faults.invalid_combination(
            "Requested allocated storage must be at least 10 % more than the current storage."
        )
