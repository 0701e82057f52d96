"""When credentials are fetched, and by whom."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from forebay.clock import VirtualClock
from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue.keyring import EARLY_S, LOOK_EVERY_S, Keyring
from forebay.queue.signing import Credentials

pytestmark = pytest.mark.anyio


class Provider:
    """A source whose credentials live for `life_s` of virtual time. It counts, and can be held up or made to fail."""

    def __init__(self, clock: VirtualClock, *, life_s: float = 3_600.0) -> None:
        self.clock = clock
        self.life_s = life_s
        self.expires_at = 0.0
        self.loads = 0
        self.refreshes = 0
        self.fault: Fault | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[int] = set()

    def load(self) -> Credentials:
        self.loads += 1
        return self._next()

    def refresh(self) -> Credentials:
        self.refreshes += 1
        return self._next()

    def expires_within(self, seconds: float) -> bool:
        return self.expires_at - self.clock.now() < seconds

    def _next(self) -> Credentials:
        self.threads.add(threading.get_ident())
        assert self.gate.wait(5)
        if self.fault is not None:
            raise QueueError(self.fault)
        self.expires_at = self.clock.now() + self.life_s
        return Credentials(f"AK{self.loads + self.refreshes}", "secret", "token")


def make(*, life_s: float = 3_600.0) -> tuple[VirtualClock, Provider, Keyring, list[str]]:
    clock = VirtualClock()
    provider = Provider(clock, life_s=life_s)
    told: list[str] = []
    keyring = Keyring(provider, clock=clock, dice=random.Random(7), notify=lambda event, fields: told.append(event))
    return clock, provider, keyring, told


async def settled() -> None:
    """Let a fetch in a thread come back."""
    for task in asyncio.all_tasks():
        if task.get_name() == "forebay credentials":
            await asyncio.wait([task])
    await asyncio.sleep(0)


async def test_many_callers_at_start_wait_for_one_fetch_in_a_thread() -> None:
    _, provider, keyring, _ = make()

    found = await asyncio.gather(*(keyring.get() for _ in range(20)))

    assert {credentials.access_key for credentials in found} == {"AK1"}
    assert provider.loads == 1
    assert threading.get_ident() not in provider.threads


async def test_fresh_credentials_are_at_hand_without_waiting() -> None:
    clock, provider, keyring, _ = make()
    await keyring.get()
    clock.advance(LOOK_EVERY_S * 10)

    at_hand = keyring.at_hand()

    assert at_hand is not None
    assert at_hand.access_key == "AK1"
    assert (provider.loads, provider.refreshes) == (1, 0)


async def test_credentials_are_renewed_before_they_expire_and_the_old_ones_used_meanwhile() -> None:
    clock, provider, keyring, _ = make(life_s=3_600.0)
    await keyring.get()
    provider.gate.clear()

    clock.advance(3_600.0 - EARLY_S[0] + 1)
    during = [keyring.at_hand() for _ in range(5)]
    provider.gate.set()
    await settled()
    after = keyring.at_hand()

    assert [credentials.access_key for credentials in during if credentials] == ["AK1"] * 5
    assert after is not None
    assert after.access_key == "AK2"
    assert provider.refreshes == 1


async def test_a_fleet_started_together_does_not_renew_together() -> None:
    moments = []
    for seed in range(5):
        clock = VirtualClock()
        provider = Provider(clock)
        keyring = Keyring(provider, clock=clock, dice=random.Random(seed))
        await keyring.get()
        while provider.refreshes == 0:
            clock.advance(5.0)
            keyring.at_hand()
            await settled()
        moments.append(clock.now())

    assert len(set(moments)) >= 3
    assert all(3_600.0 - EARLY_S[1] <= moment <= 3_600.0 - EARLY_S[0] + 2 * LOOK_EVERY_S for moment in moments)


async def test_a_failed_renewal_is_told_and_the_old_credentials_stay_in_use() -> None:
    clock, provider, keyring, told = make()
    await keyring.get()
    provider.fault = Fault(FaultKind.UNAVAILABLE, "MetadataRetrievalError")

    clock.advance(3_600.0 - EARLY_S[0] + 1)
    keyring.at_hand()
    await settled()
    still = keyring.at_hand()
    provider.fault = None
    clock.advance(2 * LOOK_EVERY_S)
    keyring.at_hand()
    await settled()
    renewed = keyring.at_hand()

    assert still is not None
    assert still.access_key == "AK1"
    assert told == ["credentials.failed"]
    assert renewed is not None
    assert renewed.access_key == "AK3"


async def test_credentials_that_have_expired_are_waited_for() -> None:
    """A laptop that slept through the night."""
    clock, provider, keyring, _ = make()
    await keyring.get()
    clock.advance(50_000.0)

    assert keyring.at_hand() is None
    assert (await keyring.get()).access_key == "AK2"
    assert provider.loads == 2


async def test_a_refusal_by_the_service_fetches_once_for_all_who_were_refused() -> None:
    _, provider, keyring, _ = make()
    old = await keyring.get()

    renewed = await asyncio.gather(*(keyring.replace(old) for _ in range(10)))

    assert {credentials.access_key for credentials in renewed if credentials} == {"AK2"}
    assert provider.loads == 2


async def test_a_refusal_that_comes_late_does_not_fetch_again() -> None:
    _, provider, keyring, _ = make()
    old = await keyring.get()
    await keyring.replace(old)

    renewed = await keyring.replace(old)

    assert renewed is not None
    assert provider.loads == 2


async def test_when_no_other_credentials_are_found_there_is_nothing_to_replace_with() -> None:
    clock = VirtualClock()

    class Stubborn(Provider):
        def _next(self) -> Credentials:
            self.expires_at = self.clock.now() + self.life_s
            return Credentials("AK", "secret")

    keyring = Keyring(Stubborn(clock), clock=clock)

    assert await keyring.replace(await keyring.get()) is None


async def test_a_fault_at_the_first_fetch_reaches_every_caller_and_is_tried_again() -> None:
    _, provider, keyring, _ = make()
    provider.fault = Fault(FaultKind.CREDENTIALS, "NoCredentials")

    results = await asyncio.gather(*(keyring.get() for _ in range(3)), return_exceptions=True)
    provider.fault = None
    found = await keyring.get()

    assert [isinstance(result, QueueError) for result in results] == [True] * 3
    assert found.access_key == "AK2"


async def test_a_caller_who_gives_up_does_not_take_the_fetch_with_it() -> None:
    _, provider, keyring, _ = make()
    provider.gate.clear()
    impatient = asyncio.create_task(keyring.get())
    patient = asyncio.create_task(keyring.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    impatient.cancel()
    provider.gate.set()

    assert (await patient).access_key == "AK1"
    assert provider.loads == 1


async def test_a_key_that_cannot_stand_in_a_header_is_refused() -> None:
    clock = VirtualClock()

    class Broken(Provider):
        def _next(self) -> Credentials:
            return Credentials("AK\r\nX-Evil: 1", "secret")

    with pytest.raises(QueueError) as caught:
        await Keyring(Broken(clock), clock=clock).get()

    assert caught.value.fault.kind is FaultKind.CREDENTIALS
