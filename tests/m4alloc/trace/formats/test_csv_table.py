"""Tables as spreadsheets and data frames write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.trace.formats import FormatError, open_history
from spec.event import Event, Function

EVENTS = [Event(Function.MALLOC, size=8, result=4096), Event(Function.FREE, address=4096)]


@pytest.mark.parametrize(
    "text",
    [
        b"function;address;size;result\nmalloc;0;8;4096\nfree;4096;;\n",
        b"function\taddress\tsize\tresult\nmalloc\t0\t8\t4096\nfree\t4096\t0\t0\n",
        b"sep=;\r\nfunction;address;size;result\r\nmalloc;0;8;4096\r\nfree;4096;0;0\r\n",
        b"\xef\xbb\xbfFunction,Address,Size,Result\r\nMALLOC,0,8,0x1000\r\nfree,0x1000,,\r\n",
        "function,address,size,result\nmalloc,0,8,4096\nfree,4096,0,0\n".encode("utf-16"),
        b'"function","address","size","result",""\n"malloc","0","008","4096",\n,,,,\n\n"free","4096","0","0",\n',
        b"function,address,size,result,usable\nmalloc,0.0,8.0,4096.0,\nfree,4096.0,0.0, 0,\n",
    ],
    ids=["semicolons", "tabs", "excel's sep", "bom and capitals", "utf-16", "quotes and empty rows", "floats"],
)
def test_a_table_of_a_spreadsheet_is_read(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    history = open_history(tmp_path / "a.csv")
    assert (list(history.events()), history.notes) == (EVENTS, ())


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("9.39139E+13", ":5: column size: .* found '9.39139E\\+13', which a spreadsheet has rounded"),
        ("8.5", ":5: column size: .* found '8.5'$"),
        ("9" * 5000, r":5: column size: .* found '9{59}\[...\]'"),
    ],
)
def test_the_line_of_what_is_wrong_counts_empty_ones_and_those_inside_quotes(
    cell: str, message: str, tmp_path: Path
) -> None:
    text = f'function,address,size,result,label\nlabel,0,0,0,"two\nlines"\n\nmalloc,0,{cell},16,\n'
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        open_history(tmp_path / "a.csv")
