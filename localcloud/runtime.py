"""What one running local cloud holds, outside moto: clusters, addresses, latency, the record."""

from __future__ import annotations

import fcntl
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from localcloud import binaries, cluster, settings, sidecar, template, unprivileged
from localcloud.addresses import Address, Addresses
from localcloud.calls import Calls
from localcloud.catalogue import Catalogue
from localcloud.certificates import Authority
from localcloud.clock import Clock
from localcloud.cluster import Cluster, Site
from localcloud.errors import LocalCloudError
from localcloud.faults import Faults
from localcloud.latency import Latency
from localcloud.lifecycle import Lifecycle
from localcloud.mail import Post
from localcloud.proxy.listener import Listener
from localcloud.proxy.loop import EventLoop
from localcloud.settings import Settings

_TRAVERSABLE = 0o755
_PASSABLE = 0o011


class Runtime:
    """The parts every other module works with. Made once per process."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        self.owner = unprivileged.server_owner()
        _prepare_root(chosen.data, self.owner)
        self._claim = _claim(chosen.data)
        found = binaries.find(chosen.pg_bin)
        self.template = template.prepare(found, settings.template_cache(chosen.data), self.owner)
        self.catalogue = Catalogue(self.template.catalogue)
        self.authority = Authority(chosen.data / "ca.pem")
        self.addresses = Addresses(one_address=chosen.one_address)
        self.clock = Clock()
        self.post = Post(chosen.data / "mail", self.clock)
        # One thread: what is told of events keeps their order.
        self.notices = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notices")
        self.latency = Latency(chosen.latency)
        self.lifecycle = Lifecycle(self.latency)
        self.calls = Calls()
        self.faults = Faults()
        # One lock for all state of the API: calls are short, real work happens outside it.
        self.lock = threading.RLock()
        self._clusters: dict[str, Cluster] = {}
        self._listeners: dict[str, Listener] = {}
        self.event_loop = EventLoop()
        clusters = chosen.data / "clusters"
        sidecar.reap(clusters)
        # What is in them is known to this process alone.
        self.snapshots = _fresh(chosen.data / "snapshots")
        self.backups = _fresh(chosen.data / "backups")
        self._site = Site(
            root=_present(clusters) if chosen.take_over else _fresh(clusters),
            owner=self.owner,
            template=self.template,
            authority=self.authority,
            durable=chosen.durable,
        )

    @property
    def libraries(self) -> Path:
        """The directory of the server's loadable libraries."""
        return self.template.binaries.libraries

    def new_cluster(self, name: str, port: int, address: Address | None = None) -> Cluster:
        """Make the places of a cluster and register it; a standby shares its primary's address."""
        made = cluster.lay_out(self._site, name, address or self.addresses.take(port))
        with self.lock:
            self._clusters[name] = made
        return made

    @property
    def clusters(self) -> Path:
        """The directory that holds a directory for each cluster."""
        return self._site.root

    def reopen_cluster(self, name: str, address: Address) -> Cluster:
        """Register a cluster whose files are there already, at its address if that is free."""
        return self.new_cluster(name, address.port, self.addresses.retake(address))

    def cluster_names(self) -> list[str]:
        """Return the names of all clusters there are."""
        with self.lock:
            return sorted(self._clusters)

    def discard(self, name: str) -> None:
        """Stop a cluster and remove what it left."""
        with self.lock:
            found = self._clusters.pop(name, None)
            shared = found and any(
                other.address == found.address for other in self._clusters.values()
            )
        if found is None:
            return
        with found.lock:
            found.stop()
        shutil.rmtree(found.files.root, ignore_errors=True)
        if found.files.sockets.parent != found.files.root:
            shutil.rmtree(found.files.sockets, ignore_errors=True)
        if not shared:
            self.addresses.give_back(found.address)

    def take_address(self, port: int) -> Address:
        """Return an address for a listener that is not a cluster."""
        return self.addresses.take(port)

    def keep_listener(self, name: str, listener: Listener) -> None:
        """Register the listener of a proxy."""
        with self.lock:
            self._listeners[name] = listener

    def drop_listener(self, name: str) -> None:
        """Close the listener of a proxy and free its address."""
        with self.lock:
            found = self._listeners.pop(name, None)
        if found is not None:
            found.close()
            self.addresses.give_back(found.address)

    def discard_all(self) -> None:
        """Close every listener, then stop every cluster: standbys before their sources."""
        with self.lock:
            listeners = list(self._listeners)
        for name in listeners:
            self.drop_listener(name)
        with self.lock:
            standing = dict(self._clusters)
        standbys = [name for name, found in standing.items() if found.upstream]
        for names in (standbys, [name for name in standing if name not in standbys]):
            if names:
                with ThreadPoolExecutor(max_workers=8) as pool:
                    list(pool.map(self.discard, names))

    def forget_backups(self) -> None:
        """Remove the files of every snapshot and of all automated backups."""
        _fresh(self.snapshots)
        _fresh(self.backups)

    def stop(self) -> None:
        """End everything this process started."""
        self.lifecycle.stop()
        self.notices.shutdown(cancel_futures=True)
        self.discard_all()
        self.event_loop.stop()
        self.addresses.close()
        self._claim.close()


def _claim(data: Path) -> IO[str]:
    """Return a lock on the data directory, held until it is closed or the process ends."""
    claim = (data / "lock").open("w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        claim.close()
        raise LocalCloudError(
            f"Another local cloud uses {data}; stop it or choose another place with --data."
        ) from error
    return claim


def _prepare_root(data: Path, owner: unprivileged.Owner) -> None:
    data.mkdir(parents=True, exist_ok=True)
    if owner.drop:
        # The servers' user has to pass through; it need not see what else is there.
        data.chmod(stat.S_IMODE(data.stat().st_mode) | _PASSABLE)
    unprivileged.require_traversable(data, owner)


def _fresh(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    return _present(directory)


def _present(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    directory.chmod(_TRAVERSABLE)
    return directory
