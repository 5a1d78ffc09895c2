"""The door of RDS: an API call comes in, the table of operations answers it."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.rds.models import rds_backends

from localcloud import calls
from localcloud.rds import faults, memory, offer
from localcloud.rds.backend import Home
from localcloud.rds.operations import Answer, Call
from localcloud.rds.pages import page


class CloudResponse(BaseResponse):  # type: ignore[misc]  # moto has no types
    """Parses as botocore's model says, answers from ``OPERATIONS``, refuses the rest by name."""

    def __init__(self) -> None:
        super().__init__(service_name="rds")
        self.automated_parameter_parsing = True

    def call_action(self) -> Any:
        """Answer one call."""
        try:
            result = ActionResult(self._answer(str(self._get_action())))
        except ServiceException as fault:
            result = ActionResult(fault)
        status, headers, body = self.serialized(result)
        headers, body = self._enrich_response(headers, body)
        return status, headers, body

    def _answer(self, name: str) -> Answer:
        handler = offer.TABLE.get(name)
        if handler is None:
            raise faults.not_simulated(name)
        home: Home = rds_backends[self.current_account][self.region]
        call = Call(home, name, dict(self.params))
        with home.runtime.lock:
            answer = handler(call)
            if calls.mutates(name):
                memory.keep_all(home)
            return page(name, call.parameters, answer)
