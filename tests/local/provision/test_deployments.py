"""The deployments of prefect.yaml: they deploy on a fresh server, run on a worker, leave artifacts."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from flows.heartbeat import beat_once
from flows.migrate import MigrateParameters, migrate
from haven.cli.local import QUIET, child_environment, prefect_server
from haven.waiting import Wait, wait_for

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with prefect_server(folder, port) as url:
        yield url, folder


def prefect(server, place, *arguments):
    url, folder = server
    settings = place.settings
    more = {
        **QUIET,
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_HOME": str(folder / "client"),
        "HAVEN_ENDPOINT_URL": settings.endpoint_url,
        "HAVEN_CA_BUNDLE": str(settings.ca_bundle),
    }
    done = subprocess.run(  # noqa: S603  # our own interpreter and fixed arguments
        [sys.executable, "-m", "prefect", *arguments],
        cwd=ROOT,
        env=child_environment(more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(api, path, body):
    """Ask Prefect's server for something, as its interface does."""
    httpx.post(f"{api}/{path}", json=body).raise_for_status()


def test_both_operations_deploy_and_run_on_a_worker(server, provisioned):
    api = f"{server[0]}/api"
    before = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    ask(api, "work_pools/", {"name": "haven", "type": "process"})
    prefect(server, provisioned, "--no-prompt", "deploy", "--all")
    assert (ROOT / "prefect.yaml").read_text(encoding="utf-8") == before

    given = {"stack": str(provisioned.path), "parameters": {"dry_run": False}}
    for name in ("provision", "migrate"):
        found = httpx.get(f"{api}/deployments/name/{name}/{name}").raise_for_status().json()
        ask(api, f"deployments/{found['id']}/create_flow_run", {"parameters": given})
    prefect(server, provisioned, "worker", "start", "--pool", "haven", "--run-once")

    runs = httpx.post(f"{api}/flow_runs/filter", json={}).json()
    assert {item["state_type"] for item in runs} == {"COMPLETED"}, runs
    artifacts = httpx.post(f"{api}/artifacts/filter", json={}).json()
    keys = {f"{name}-{provisioned.stack.prefix}" for name in ("provision", "migrate")}
    assert {item["key"] for item in artifacts} == keys
    assert all("succeeded" in item["data"] for item in artifacts)


def test_a_promotion_waits_for_a_person_and_touches_nothing_without(server, provisioned):
    api = f"{server[0]}/api"
    beat_anew(provisioned)
    found = httpx.get(f"{api}/deployments/name/promote-replica/planned").raise_for_status().json()
    given = {"stack": str(provisioned.path), "parameters": {"dry_run": False, "mode": "planned"}}
    ask(api, f"deployments/{found['id']}/create_flow_run", {"parameters": given})
    work = ("worker", "start", "--pool", "haven", "--run-once")
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(prefect, server, provisioned, *work)
        waiting = awaited(api, "PAUSED")
        # What they type is no replica's name.
        answer = {"decision": "approve", "name": "another", "approved_by": "a test"}
        resume = f"{api}/flow_runs/{waiting['id']}/resume"
        awaited_answer(resume, {"run_input": answer})
        worker.result()
    run = httpx.get(f"{api}/flow_runs/{waiting['id']}").json()
    assert run["state_type"] == "FAILED"
    assert "its name has to be typed" in run["state"]["message"]
    assert provisioned.run().loaded.stack.layout.epoch == 1


def awaited_answer(url, body):
    """Post once the server is not too busy to take it."""
    busy = httpx.codes.SERVICE_UNAVAILABLE

    def post():
        return httpx.post(url, json=body, timeout=30)

    wait_for(Wait("Prefect", post, lambda it: it.status_code != busy, lambda _: None, 0.5, 60))


def beat_anew(place):
    """Let replicas be as close behind as a promotion wants them."""
    migrate(place.run(), MigrateParameters())
    beat_once(place.settings)


def awaited(api, state):
    """Wait until a run is in a state, and return it."""
    query = {"flow_runs": {"state": {"type": {"any_": [state]}}}}

    def runs():
        return httpx.post(f"{api}/flow_runs/filter", json=query).json()

    return wait_for(Wait("a run that waits", runs, bool, lambda _: None, 0.2, 60))[0]


def test_a_parameter_of_the_wrong_type_is_refused_before_any_run(server):
    api = f"{server[0]}/api"
    found = httpx.get(f"{api}/deployments/name/provision/provision").json()
    answer = httpx.post(
        f"{api}/deployments/{found['id']}/create_flow_run",
        json={"parameters": {"parameters": {"dry_run": "perhaps"}}},
    )
    assert answer.status_code == 409
    assert "dry_run" in answer.text
