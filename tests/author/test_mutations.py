"""What the mutation operators change, and what they leave alone."""

from __future__ import annotations

import ast
import textwrap

import pytest

from dojo.author.mutations import mutations


def changes(source: str, operator: str | None = None) -> list[str]:
    """Each mutation as its changed line, stripped."""
    source = textwrap.dedent(source)
    found = []
    for mutation in mutations(source):
        if operator is None or mutation.operator == operator:
            after = mutation.apply(source).splitlines()
            found.append(after[mutation.line - 1].strip())
    return found


@pytest.mark.parametrize(
    ("source", "operator", "expected"),
    [
        ("ok = a < b", "comparison", ["ok = a <= b"]),
        ("ok = a >= b", "comparison", ["ok = a > b"]),
        ("ok = a == b", "comparison", ["ok = a != b"]),
        ("ok = a not in b", "comparison", ["ok = a in b"]),
        ("ok = a is not b", "comparison", ["ok = a is b"]),
        ("ok = 0 < (a) <= b", "comparison", ["ok = 0 <= (a) <= b", "ok = 0 < (a) < b"]),
        ("ok = a and b and c", "and-or", ["ok = a or b and c", "ok = a and b or c"]),
        ("ok = not a", "drop-not", ["ok = (a)"]),
        ("n = a + b", "arithmetic", ["n = a - b"]),
        ("n = a // b ** 2", "arithmetic", ["n = a / b ** 2", "n = a // b * 2"]),
        ("n = 1\nn += 2", "arithmetic", ["n -= 2"]),
        ("n = 60", None, ["n = 61", "n = 59"]),
        ("n = 0.5", None, ["n = 1.5", "n = -0.5"]),
        ("n = True", None, ["n = False"]),
        ("n = min(a, b)", "min-max", ["n = max(a, b)"]),
        ("f(a, nx=True, ex=5)", "drop-keyword", ["f(a, ex=5)", "f(a, nx=True)"]),
        ("f(only=(1))", "drop-keyword", ["f()"]),
        ("if a < b: f()", "negate", ["if not (a < b): f()"]),
        ("while a: f()", "negate", ["while not (a): f()"]),
        ("x = a if b else c", "negate", ["x = a if not (b) else c"]),
        ("assert a", "negate", ["assert not (a)"]),
        ("x = [n for n in m if n]", "negate", ["x = [n for n in m if not (n)]"]),
    ],
)
def test_operators(source, operator, expected):
    assert changes(source, operator) == expected


def test_an_equality_is_swapped_and_not_negated_as_well():
    assert changes("if a == b: f()", "negate") == []
    assert changes("while True: f()", "negate") == []
    assert changes("if not a: f()") == ["if (a): f()", "if not a: pass"]


def test_statements_are_dropped_where_valid_code_remains():
    source = """
    async def f(self, n):
        total = 0
        self.n = n
        if n:
            total = n
            other = 1
        else:
            other = 2
        n = n * 2
        await self.close()
        for x in n:
            continue
        raise Oops
    """
    dropped = [m.line for m in mutations(textwrap.dedent(source)) if m.operator == "drop-statement"]
    # not `total = 0` and not either first `other`: what follows would be a NameError
    assert dropped == [4, 6, 10, 11, 13, 14]


def test_returned_values_become_none():
    assert changes("def f():\n    return a.b") == ["return None"]
    assert changes("def f():\n    return None") == []


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring with 1 < 2."""',
        "__all__ = ['a', 'b'][0:1]",
        "def f(a: Literal[1]) -> Literal[2]: ...",
        "x: Literal[1]",
        "raise ValueError(f'at most {n + 1}')",
        "raise ValueError('at most %d' % 3)",
        "if TYPE_CHECKING:\n    x = 1",
        "if __name__ == '__main__':\n    f(1)",
        "T = TypeVar('T', bound=int, covariant=True)",
        "class P(Protocol):\n    x = 1",
        "@overload\ndef f(a=1): ...",
        "@dataclass(frozen=True)\nclass A: ...",
        "log.warning('%d', 1)",
        "self._logger.info('x', extra=1)",
        "logging.getLogger('x').info('y', extra=1)",
    ],
)
def test_what_is_not_behaviour_is_left_alone(source):
    assert [m.id for m in mutations(source) if m.operator != "drop-statement"] == []


def test_the_arguments_of_an_error_that_are_data_are_mutated():
    assert "raise Limited(retry_after=2)" in changes("raise Limited(retry_after=1)")


def test_operators_inside_comments_and_strings_are_not_mistaken():
    source = 'ok = (a  # a < b\n    < "<") and b'
    assert changes(source, "comparison") == ['<= "<") and b']


def test_columns_count_characters_also_after_wide_text():
    source = 'naïve, x = "é → ü", 1\n'
    [up, _] = mutations(source)
    assert up.apply(source) == 'naïve, x = "é → ü", 2\n'
    assert up.id == "constant+1@1:20"


def test_lua_scripts_are_mutated_where_they_stand():
    source = '''
SCRIPT = """
-- 1 < 2
local n = redis.call('INCR', KEYS[1])
if n == 1 and ok then
    redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return 10
"""
'''
    assert changes(source) == [
        "if n ~= 1 and ok then",
        "if n == 2 and ok then",
        "if n == 0 and ok then",
        "if n == 1 or ok then",
        "--",
        "return 11",
        "return 9",
    ]


def test_every_mutation_is_valid_different_and_deterministic():
    source = textwrap.dedent(
        """
        import x
        class Limiter:
            def __init__(self, limit=10, *, window: float = 60.0):
                if limit < 1 or not window > 0:
                    raise ValueError("limit")
                self.limit, self.window = limit, window
            async def hit(self, key, cost=1):
                with x.lock(key, timeout=5) as held:
                    try:
                        return await self._count(key, cost=cost + 1) <= self.limit
                    except KeyError:
                        return False
                    finally:
                        await held.release()
        """
    )
    found = mutations(source)
    texts = [mutation.apply(source) for mutation in found]
    assert len(found) > 20
    assert len(set(texts)) == len(texts)
    assert len({mutation.id for mutation in found}) == len(found)
    assert found == mutations(source)
    for text in texts:
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(source))
        assert len(text.splitlines()) == len(source.splitlines())
