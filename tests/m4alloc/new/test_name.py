"""Names of new allocators: what is refused, with what would do instead."""

from __future__ import annotations

import pytest

from m4alloc.new.name import NameRefusedError, check_name, class_name, suggestion


@pytest.mark.parametrize("name", ["pool", "my_heap", "a", "heap2", "x" * 24])
def test_a_plain_name_is_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("for", "'for' is a word of the Python language; try for_heap"),
        ("match", "'match' is a word of the Python language; try match_heap"),
        ("json", "'json' is a module of Python's standard library, which `import` would then no longer find; try"),
        (
            "numpy",
            "'numpy' is a module that is installed here, which `import` would then no longer find; try numpy_heap",
        ),
        ("spec", "'spec' is a module that is installed here"),
        ("malloc", "'malloc' is a function of the malloc family"),
        ("none", "'none' is a name whose class, None, is part of the Python language; try none_heap"),
        ("memory_error", "class, MemoryError, is part"),
        ("test_pool", "'test_pool' is a name by which pytest finds its own files; try pool"),
        ("My-Heap", "small letters, digits and underscores, a letter first; try my_heap"),
        ("2heap", "try heap2"),
        ("naïve", "'naïve': a name such as pool or my_heap is wanted"),
        ("", "'': a name such as pool or my_heap is wanted"),
        ("../pool", "try pool"),
        ("/tmp/my heaps/Höhle", "is a path, and the folder is an option; try hohle -o '/tmp/my heaps/Höhle'"),
        ("lab/!", "try pool -o 'lab/!'"),
        ("pool/", "a letter first; try pool"),
        ("höhle", "a letter first; try hohle"),
        ("_", "'_': a name such as pool"),
        ("a" * 25, "has 25 letters; 24 at most are wanted"),
    ],
)
def test_what_cannot_be_a_name_is_refused_with_one_that_can(name: str, reason: str) -> None:
    with pytest.raises(NameRefusedError) as refused:
        check_name(name)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["for", "json", "My-Heap", "2heap", "test_pool", "../pool", "none", "HTTPPool", "a b"])
def test_what_is_suggested_is_taken(name: str) -> None:
    check_name(suggestion(name))


def test_the_class_is_called_in_camel_case() -> None:
    assert class_name("my_small_heap") == "MySmallHeap"
