"""What the tested file returns may define every operator; a verdict asks none of them."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import http
import textwrap

import pytest

from dojo.lab.explore import Experiment, conduct
from dojo.lab.modules import Learner
from dojo.lab.servers import FakeBackend
from dojo.lab.trust import is_a, name_of, odd_parts, text, trusted, whole
from dojo.lab.verdict import Failure, other_type, same

LIES = """\
    import dataclasses


    class Lying(type):
        def __eq__(cls, other):
            return True

        def __hash__(cls):
            return hash(float)

        __instancecheck__ = __subclasscheck__ = __eq__
        __name__ = property(lambda cls: "float")


    class Yes:
        def __eq__(self, other):
            return True

        def __hash__(self):
            return hash("k")

        __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__


    class Float(Yes, float):
        pass


    class Str(Yes, str):
        pass


    class Int(Yes, int):
        pass


    class Bytes(Yes, bytes):
        pass


    class List(Yes, list):
        pass


    class Meta(Yes, metaclass=Lying):
        pass


    class Pretender(Yes):
        __class__ = property(lambda self: float)


    class Elsewhere(float):
        __module__, __qualname__ = "decimal", "Decimal"
        __eq__, __hash__ = Yes.__eq__, Yes.__hash__


    class Decision(Yes):
        def __init__(self, allowed, left):
            self.allowed, self.left = allowed, left


    class Same(Decision):
        allowed = left = 0

        def __init__(self, allowed, left):
            pass


    @dataclasses.dataclass(eq=False)
    class Data(Yes):
        allowed: bool


    class Refused(Exception):
        __class__ = property(lambda self: ValueError)
    """


@pytest.fixture(scope="module")
def lies(tmp_path_factory):
    file = tmp_path_factory.mktemp("lies") / "lies.py"
    file.write_text(textwrap.dedent(LIES))
    return Learner("lies", file).load()


def every_liar(lies):
    return [
        *(lies.Yes(), lies.Float(1), lies.Str("k"), lies.Int(1), lies.Bytes(b"k"), lies.List([1])),
        *(lies.Meta(), lies.Pretender(), lies.Elsewhere(1)),
    ]


def verdict(body):
    failed = conduct(Experiment(lambda lab: body(lab), {}, FakeBackend())).failed
    return failed and failed.error


def test_what_equals_everything_equals_no_expected_value(lies):
    for liar in every_liar(lies):
        for due in (1, 1.0, "k", b"k", True, None, [1], decimal.Decimal(1)):
            assert not same(liar, due)
        for nested, due in (
            ([liar], [1.0]),
            ((liar,), ("k",)),
            ({"k": liar}, {"k": 1}),
            ([{"k": (liar,)}], [{"k": 1}]),
        ):
            assert not same(nested, due)
        assert not same({liar: 1}, {"k": 1})
        assert not same({liar}, {"k"})
        assert not same({(liar,)}, {("k",)})


def test_a_liar_that_is_expected_is_not_asked_either(lies):
    for liar in every_liar(lies):
        assert not same(liar, liar)
        assert not same(1.0, liar)
    assert "a Float decides for itself what it equals" in other_type(1.0, lies.Float(1.0))


def test_objects_of_the_tested_file_compare_by_their_fields(lies):
    assert same(lies.Decision(True, 3), lies.Decision(True, 3))
    assert not same(lies.Decision(True, 3), lies.Decision(True, 2))
    assert not same(lies.Decision(True, 3), lies.Decision(True, 3.0))
    assert not same(lies.Decision(lies.Yes(), 3), lies.Decision(True, 3))
    assert not same(lies.Same(False, 3), lies.Same(True, 3))
    assert same(lies.Data(True), lies.Data(True))
    assert not same(lies.Data(lies.Int(1)), lies.Data(True))
    due = dataclasses.make_dataclass("Data", ["allowed"])
    assert same(lies.Data(True), due(True))
    assert not same(lies.Data(False), due(True))


def test_what_is_defined_elsewhere_is_trusted(lies):
    for value in (decimal.Decimal("1.10"), datetime.date(2024, 2, 29), http.HTTPStatus.OK, Failure):
        assert trusted(type(value))
        assert same(value, value)
    assert not any(trusted(type(liar)) for liar in every_liar(lies))


def test_plain_values_are_what_python_itself_defines(lies):
    circle = [1, 2.0, None, True, "a", b"a", {1: (2, {3}, frozenset())}]
    circle.append(circle)
    assert list(odd_parts(circle)) == []
    assert verdict(lambda lab: lab.plain("delays", circle, trap="wrong")) is None
    for liar in every_liar(lies):
        for value in (liar, [[liar]], {"k": liar}, {0: {liar: 1}}):
            error = verdict(lambda lab, value=value: lab.plain("a delay", value, trap="wrong"))
            assert isinstance(error, Failure)
            assert (error.trap, error.expected) == ("wrong", "a delay: a value of one of Python's own types")
    assert "1.0, of the class Float" in verdict(lambda lab: lab.plain("a delay", lies.Float(1), trap="wrong")).got


def test_names_and_ancestors_come_from_python(lies):
    assert name_of(lies.Meta) == "Meta"
    assert is_a(lies.Float(1), float)
    assert not is_a(lies.Pretender(), float)
    assert not is_a(1, lies.Meta)

    def refuses(lab):
        with lab.raises(ValueError, when="for -1", trap="accepts"):
            raise lies.Refused("-1")

    assert verdict(refuses).got == "Refused: -1"


def test_what_goes_over_a_wire_has_no_class_of_its_own(lies):
    assert [type(value) for value in (text(lies.Str("a")), text(7), whole(lies.Int(7)))] == [str, str, int]

    def publishes(lab):
        broker = lab.broker()
        broker.publish("orders", lies.Bytes(b"a"), id=lies.Str("m1"), headers={"n": lies.Int(7)}, delay=lies.Float(1))
        [message] = broker.messages("orders")
        lab.plain("message", (message.id, message.body, message.headers), trap="wrong")
        lab.expect("before its time", broker.get("orders"), None, trap="wrong")

    def charges(lab):
        gateway = lab.gateway_sync()
        for key in ("a", "b"):
            lab.plain(
                "charge", gateway.charge(lies.Str("o1"), lies.Int(5), idempotency_key=lies.Str(key)), trap="wrong"
            )
        lab.expect("charges", len(gateway.ledger), 2, trap="wrong")

    async def sends(lab):
        peer = lab.peer("ann")
        await peer.send_text(lies.Str("{}"))
        await peer.close(lies.Int(1001))
        lab.plain("sent", (peer.texts, peer.close_code), trap="wrong")

    for body in (publishes, charges, sends):
        assert verdict(body) is None
