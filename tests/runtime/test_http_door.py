"""Who gets a place, and who gives it up."""

from dataclasses import dataclass

from runtime.http_door import Admission, Door

PROXY = "10.0.0.1"


@dataclass(eq=False)
class Guest:
    """A connection that notes when it had to go."""

    gone: bool = False

    def make_room(self) -> None:
        """Goes."""
        self.gone = True


def a_door(places: int = 3, places_of_one: int = 2) -> Door:
    """A small one, with a proxy before it."""
    return Door(places, places_of_one, unbounded=lambda address: address == PROXY)


def test_whoever_has_been_silent_for_longest_makes_room() -> None:
    """Of three that wait for their clients, the one that began first; who is being answered keeps its place."""
    door, guests = a_door(), [Guest() for _ in range(5)]
    for number, guest in enumerate(guests[:3]):
        assert door.enter(guest, f"192.0.2.{number}") is Admission.WELCOME
    door.works(guests[0])
    assert door.enter(guests[3], "192.0.2.3") is Admission.WELCOME
    assert [guest.gone for guest in guests] == [False, True, False, False, False]
    door.works(guests[2])
    door.waits(guests[0])  # answered: it waits for its next request, for less long than the last
    assert door.enter(guests[4], "192.0.2.4") is Admission.WELCOME
    assert [guest.gone for guest in guests] == [False, True, False, True, False]


def test_nobody_makes_room_while_all_are_being_answered() -> None:
    """Until one of them leaves."""
    door, guests, late = a_door(), [Guest() for _ in range(3)], Guest()
    for number, guest in enumerate(guests):
        door.enter(guest, f"192.0.2.{number}")
        door.works(guest)
    assert door.enter(late, "192.0.2.9") is Admission.FULL
    door.leave(guests[1])
    assert door.enter(late, "192.0.2.9") is Admission.WELCOME


def busy(door: Door, *addresses: str) -> list[Admission]:
    """What becomes of connections whose requests are being answered, one after another."""
    entries = []
    for address in addresses:
        guest = Guest()
        entries.append(door.enter(guest, address))
        door.works(guest)
    return entries


def test_one_address_does_not_get_all_places() -> None:
    """Nor does one network of IPv6, or an IPv4 address in the guise of IPv6; a proxy does."""
    door = a_door(places=10)
    entered = [Admission.WELCOME, Admission.WELCOME, Admission.CROWDED]
    assert busy(door, "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1") == entered
    assert busy(door, "2001:db8::1", "2001:db8::2", "2001:db8::3") == entered
    assert busy(door, *[PROXY] * 4) == [Admission.WELCOME] * 4


def test_who_takes_too_many_places_makes_room_for_itself() -> None:
    """Its own silent connections go, not those that somebody else has been silent on for longer."""
    door, other, own, late = a_door(), Guest(), [Guest(), Guest()], Guest()
    door.enter(other, "192.0.2.9")
    for guest in own:
        door.enter(guest, "192.0.2.1")
    assert door.enter(late, "192.0.2.1") is Admission.WELCOME
    assert [guest.gone for guest in (other, *own, late)] == [False, True, False, False]


def test_a_place_is_given_back_once() -> None:
    """By whoever had one, however often it leaves; refused guests give none back."""
    door, first, second, third = a_door(places_of_one=1), Guest(), Guest(), Guest()
    assert door.enter(first, "192.0.2.1") is Admission.WELCOME
    door.works(first)
    assert door.enter(second, "192.0.2.1") is Admission.CROWDED
    door.leave(second)
    assert door.enter(third, "192.0.2.1") is Admission.CROWDED
    door.leave(first)
    door.leave(first)
    assert door.enter(second, "192.0.2.1") is Admission.WELCOME
    door.works(second)
    assert door.enter(third, "192.0.2.1") is Admission.CROWDED


def test_whoever_made_room_comes_back_as_somebody_new() -> None:
    """What it says on its way out changes nothing."""
    door, first, second = a_door(places=1), Guest(), Guest()
    door.enter(first, "192.0.2.1")
    door.enter(second, "192.0.2.2")
    assert first.gone
    door.waits(first)
    door.works(second)
    assert door.enter(Guest(), "192.0.2.3") is Admission.FULL
