# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""SMP group 64: what the image group cannot say. docs/SPEC.md describes each message.

Importing this imports smp, which takes a while: do it where a device is talked to.
"""

from pydantic import BaseModel, ConfigDict, Field
from smp import error, message

GROUP = 64
_Bytes = bytes  # where a member is called that


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ComponentPart(_Part):
    """The state of firmware or model; slot 255 is none."""

    confirmed: int
    trial: int
    attempts: int
    rejected: int
    counter: int


class SlotPart(_Part):
    """Where a slot lies; `link` is the address that a firmware in it is linked for."""

    offset: int
    size: int
    link: int


class TransferPart(_Part):
    """The file that is being received, if slot is not 255."""

    slot: int
    length: int
    offset: int


class ErrorPart(_Part):
    """Which group refuses, and its number for why: of update/reason.h in group 64."""

    group: int
    rc: int


class _ErrorV1(error.ErrorV1):
    _GROUP_ID = GROUP


class _ErrorV2(message.Response):
    """As smp.error.ErrorV2, but takes numbers that this torpor does not know yet."""

    RESPONSE_TYPE = message.ResponseType.ERROR_V2
    _GROUP_ID = GROUP

    err: ErrorPart


class StatusReadResponse(message.ReadResponse):
    """The device, its components and slots."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 0

    board: str
    dev: bool
    running: list[int]
    state: list[ComponentPart]
    slots: list[SlotPart]
    transfer: TransferPart
    refused: int
    erase: int
    write: int


class StatusRead(message.ReadRequest):
    """Asks for `StatusReadResponse`."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 0
    _Response = StatusReadResponse
    _ErrorV1 = _ErrorV1
    _ErrorV2 = _ErrorV2


class HistoryReadResponse(message.ReadResponse):
    """Records of events from max(from, oldest) on, as many as fit."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 1

    oldest: int
    next: int
    events: list[bytes]


class HistoryRead(message.ReadRequest):
    """Asks for events from number `start` on."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)
    _GROUP_ID = GROUP
    _COMMAND_ID = 1
    _Response = HistoryReadResponse
    _ErrorV1 = _ErrorV1
    _ErrorV2 = _ErrorV2

    start: int = Field(serialization_alias="from")


class ContentPart(_Part):
    """What is in a slot: a firmware's capability, or the header and the name of a model's plan."""

    slot: int
    bytes: int
    counter: int
    capability: _Bytes = b""
    plan: _Bytes = b""
    name: _Bytes = b""


class ContentsReadResponse(message.ReadResponse):
    """The key that images are signed with, by its hash, and what is in the slots."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 3

    key: bytes
    images: list[ContentPart]


class ContentsRead(message.ReadRequest):
    """Asks for `ContentsReadResponse`."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 3
    _Response = ContentsReadResponse
    _ErrorV1 = _ErrorV1
    _ErrorV2 = _ErrorV2


class EndTrialResponse(message.WriteResponse):
    """The trial is over."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 2


class EndTrial(message.WriteRequest):
    """Ends the trial of a component (0 firmware, 1 model) for a reason of update/reason.h."""

    _GROUP_ID = GROUP
    _COMMAND_ID = 2
    _Response = EndTrialResponse
    _ErrorV1 = _ErrorV1
    _ErrorV2 = _ErrorV2

    component: int
    reason: int
