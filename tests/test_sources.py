"""Client files to raw Parquet: nothing lost, nothing guessed, clear words when it cannot be.

The oracle for what a record is, is Python's `csv` module; for what bytes mean, Python's codecs.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from customerlab.errors import CustomerlabError
from customerlab.sources import ParsedSource, parse_source, resolve_files, sniff

WHERE = "sources.customers"


class Folder:
    """A client's folder in which files are written and parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.target = path / "parsed" / "customers.parquet"

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the client's."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def parse(self, *files: Path, **options: object) -> ParsedSource:
        """Parse files into the target."""
        return parse_source(
            list(files), self.target, where=WHERE, scratch=self.path / "scratch", **options
        )

    def rows(self, columns: str = "*") -> list[tuple]:
        """Return what the target holds."""
        return duckdb.sql(f"SELECT {columns} FROM '{self.target}'").fetchall()

    def parse_text(self, content: bytes | str, columns: str = "*", **options: object) -> list:
        """Parse one file with this content and return what came of it."""
        self.parse(self.write("customers.csv", content), **options)
        return self.rows(columns)

    def refused(self, *files: Path, **options: object) -> str:
        """Return the message with which files are refused, leaving nothing behind."""
        with pytest.raises(CustomerlabError) as caught:
            self.parse(*files, **options)
        message = str(caught.value)
        assert message.startswith(f"{WHERE}: ")
        assert not self.target.exists()
        assert list(self.path.rglob("*.partial")) == []
        assert list((self.path / "scratch").glob("*")) == []
        return message


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_rows_come_with_file_and_number(folder: Folder) -> None:
    parsed = folder.parse(folder.write("customers.csv", "id,name\n1,Ann\n2,\n"))
    assert folder.rows() == [
        ("1", "Ann", "customers.csv", 1, None, None),
        ("2", None, "customers.csv", 2, None, None),
    ]
    assert (parsed.rows, parsed.columns, parsed.warnings) == (2, ("id", "name"), ())
    content = b"id,name\n1,Ann\n2,\n"
    assert parsed.files == (
        ("customers.csv", len(content), hashlib.sha256(content).hexdigest(), 2),
    )
    kinds = duckdb.sql(f"DESCRIBE FROM '{folder.target}'").fetchall()
    assert [kind for _, kind, *_ in kinds] == ["VARCHAR"] * 3 + ["BIGINT"] + ["VARCHAR"] * 2


def test_wrong_number_of_fields_is_marked_and_kept(folder: Folder) -> None:
    text = "a,b,c\n1,2,3\n1,2\n1\n1,,\n1,2,3,\n1,2,3,x,,y\n"
    assert folder.parse_text(text, "a, b, c, _row, _fields, _extra") == [
        ("1", "2", "3", 1, None, None),
        ("1", "2", None, 2, "too few", None),
        ("1", None, None, 3, "too few", None),
        ("1", None, None, 4, None, None),
        ("1", "2", "3", 5, "too many", ""),
        ("1", "2", "3", 6, "too many", "x,,y"),
    ]


@pytest.mark.parametrize("extra", [8, 9, 500, 4000])
def test_any_number_of_further_fields_is_kept(folder: Folder, extra: int) -> None:
    spare = ",".join(f"x{i}" for i in range(extra))
    rows = folder.parse_text(f"a,b\n1,2\n3,4,{spare}\n5,6\n", "a, b, _row, _extra")
    assert rows == [("1", "2", 1, None), ("3", "4", 2, spare), ("5", "6", 3, None)]


def test_more_fields_than_can_be_meant(folder: Folder) -> None:
    file = folder.write("customers.csv", "a,b\n1,2\n" + "x," * 5000 + "\n")
    assert "over 4,096 fields" in folder.refused(file)


def test_quoted_fields(folder: Folder) -> None:
    text = 'a,b\n"x\ny","say ""hi"""\n"1,2", "z" \n5" pipe,it"s\n"",\n'
    assert folder.parse_text(text, "a, b, _row, _fields", null_values=[]) == [
        ("x\ny", 'say "hi"', 1, None),
        ("1,2", "z", 2, None),
        ('5" pipe', 'it"s', 3, None),
        ("", "", 4, None),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(folder: Folder, end: str, last: bool) -> None:
    text = end.join(["a,b", '1,"x', 'y"', "", "3,4", "", "5,6"]) + end * last
    assert folder.parse_text(text, "a, b, _row") == [
        ("1", "x\ny", 1),
        ("3", "4", 2),
        ("5", "6", 3),
    ]


def test_mixed_line_ends(folder: Folder) -> None:
    assert folder.parse_text("a,b\r\n1,2\n3,4\r5,6", "a, b") == [("1", "2"), ("3", "4"), ("5", "6")]


def test_nothing_is_interpreted(folder: Folder) -> None:
    cells = ["007", "1e5", "NULL", "nan", "true", "2025-02-30", "#x", "\\N", " a ", "1,2,3", "\0"]
    content = "a;b\n" + "".join(f"{cell};-\n" for cell in cells)
    assert [row[0] for row in folder.parse_text(content, "a")] == cells


def test_matches_python_csv_on_random_files(folder: Folder) -> None:
    source = random.Random(7)
    alphabet = ["a", "é", "张", '"', ",", "\n", " ", "x" * 50, "'", "\\", ";", "\t", "\u2028"]
    for _ in range(30):
        table = [
            ["".join(source.choices(alphabet, k=source.randrange(6))) for _ in range(3)]
            for _ in range(40)
        ]
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
        read = folder.parse_text(out.getvalue(), "a, b, c", null_values=[])
        assert [list(row) for row in read] == table


@pytest.mark.parametrize("body", ['1,"x\n2,3\n', '1,"', '1,"""', '1,"' + "y,\n" * 9_000_000])
def test_quote_that_is_never_closed(folder: Folder, body: str) -> None:
    message = folder.refused(folder.write("customers.csv", "a,b\n0,0\n" + body))
    assert "broken quote in the record that starts at line 3" in message


@pytest.mark.parametrize("cell", ['"8"a', '"8" a', '"a"b"'])
def test_text_after_a_closing_quote(folder: Folder, cell: str) -> None:
    content = f'a,b\n\n"two\nlines",2\n\n{cell},4\n5,6\n'
    message = folder.refused(folder.write("customers.csv", content))
    assert "broken quote in the record that starts at line 6" in message


def test_very_long_field(folder: Folder) -> None:
    long = "x\n" * 2_500_000
    rows = folder.parse_text(f'a,b\n1,"{long}"\n2,{"y" * 5_000_000}\n3,4\n', "a, b, _fields")
    assert rows == [("1", long, None), ("2", "y" * 5_000_000, None), ("3", "4", None)]


def test_record_that_is_too_long(folder: Folder) -> None:
    file = folder.write("customers.csv", f"a,b\n1,{'y' * 20_000_000}\n")
    assert "over 16,777,216 bytes" in folder.refused(file)


def test_null_values(folder: Folder) -> None:
    text = 'a\nNA\n NA \n ? \nNAN\n  \nx\n""\n'
    assert folder.parse_text(text, "a", null_values=["NA", "?"]) == [
        (None,), (None,), (None,), ("NAN",), (None,), ("x",), (None,),
    ]  # fmt: skip


def test_header_only(folder: Folder) -> None:
    parsed = folder.parse(folder.write("customers.csv", "a,b"))
    assert (parsed.rows, folder.rows()) == (0, [])


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n \r\n", gzip.compress(b"", mtime=0)])
def test_empty_file(folder: Folder, content: bytes) -> None:
    assert "is empty" in folder.refused(folder.write("customers.csv", content))


def test_header_names(folder: Folder) -> None:
    content = b'\xef\xbb\xbf id ,"two\nlines","say ""x""",,_f\n1,2,3,4,5\n'
    parsed = folder.parse(folder.write("customers.csv", content))
    assert parsed.columns == ("id", "two\nlines", 'say "x"', "column_4", "_f")
    assert folder.rows('"two\nlines", "say ""x""", column_4') == [("2", "3", "4")]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a,b,a", '"a" twice'),
        ("Id,b,ID", '"ID" twice (also as "Id")'),
        ("a,_row", '"_row"'),
        ("a\0,b", "NUL"),
    ],
)
def test_header_names_that_cannot_be(folder: Folder, header: str, said: str) -> None:
    assert said in folder.refused(folder.write("customers.csv", header + "\n1,2,3\n"))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_found_in_the_header(folder: Folder, mark: str) -> None:
    content = f'"x,;|,;|,;|"{mark}b{mark}c\n1{mark}2{mark}3\n'
    parsed = folder.parse(folder.write("customers.csv", content))
    assert parsed.columns == ("x,;|,;|,;|", "b", "c")


@pytest.mark.parametrize("mark", ["\\t", "tab", "~", " ", "¦", "，", "\x01", "'", "\\"])
def test_declared_delimiter(folder: Folder, mark: str) -> None:
    used = "\t" if mark in {"\\t", "tab"} else mark
    text = f'a{used}b\n1{used}"2{used}3"\n4{used}5{used}6{used}7\n'
    assert folder.parse_text(text, "a, b, _extra", delimiter=mark) == [
        ("1", f"2{used}3", None),
        ("4", "5", f"6{used}7"),
    ]


@pytest.mark.parametrize("mark", ["", "||", '"', "\n"])
def test_delimiter_that_cannot_be(folder: Folder, mark: str) -> None:
    file = folder.write("customers.csv", "a,b\n1,2\n")
    assert "expected one character" in folder.refused(file, delimiter=mark)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-32", "big5", "gbk"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_encodings(folder: Folder, encoding: str, zipped: bool) -> None:
    # long enough that characters straddle the pieces in which a file is read
    names = ["客戶", "上海市", "a", "台北"] * 30_000
    content = ("id,name\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names))).encode(
        encoding
    )
    stored = gzip.compress(content, 1) if zipped else content
    parsed = folder.parse(folder.write("c.csv", stored), encoding=encoding)
    assert [row[0] for row in folder.rows("name")] == names
    assert parsed.files[0].sha256 == hashlib.sha256(stored).hexdigest()
    assert parsed.files[0].bytes == len(stored)
    assert parsed.warnings == ()


def test_western_encodings(folder: Folder) -> None:
    text = "name\nJörg Müller\nÉmile Zola\nÅse\n"
    for encoding in ("latin-1", "cp1252"):
        parsed = folder.parse(folder.write("c.csv", text.encode(encoding)), encoding=encoding)
        assert (parsed.warnings, folder.rows("name")[1]) == ((), ("Émile Zola",))


@pytest.mark.parametrize("ahead", [10, 300_000, 1_048_570, 3_000_001])
@pytest.mark.parametrize(
    ("declared", "bad", "meant"),
    [
        ("utf-8", "张伟,北京\n".encode("gb18030"), "gb18030"),
        ("utf-8", "Émile,Besançon\n".encode("latin-1"), "latin-1"),
        ("gb18030", b"\xff\xff", "latin-1"),
        ("ascii", "é,é\n".encode(), "utf-8"),
    ],
)
def test_undecodable_byte_is_named(
    folder: Folder, ahead: int, declared: str, bad: bytes, meant: str
) -> None:
    content = b"a,b\n" + (b"x,yz\n" * (ahead // 5 + 1))[:ahead] + bad + b"1,2\n" * 10
    with pytest.raises(UnicodeDecodeError) as oracle:
        content.decode(declared)
    message = folder.refused(folder.write("c.csv", content), encoding=declared)
    assert f"byte {oracle.value.start:,} " in message
    assert f"is not {declared}" in message
    assert f"set encoding: {meant}." in message


def test_last_character_cut_off(folder: Folder) -> None:
    message = folder.refused(folder.write("c.csv", "a\n1\n张".encode()[:-1]))
    assert "byte 4 " in message


@pytest.mark.parametrize("name", ["utf_9", "hex", "nonsense"])
def test_unknown_encoding(folder: Folder, name: str) -> None:
    assert "is not known" in folder.refused(folder.write("c.csv", "a\n1\n"), encoding=name)


@pytest.mark.parametrize(
    ("declared", "content", "said"),
    [
        ("latin-1", "a\nJörg\n".encode(), "reads like utf-8"),
        ("gb18030", "a\n张伟张伟\n".encode(), "reads like utf-8"),
        ("latin-1", "a\n张伟在北京\n".encode("gb18030"), "reads like gb18030"),
        ("gb18030", "a\nJérôme Bézier\nBesançon\n".encode("latin-1"), "reads like latin-1"),
        ("utf-8", "a\nJÃ¶rg\n".encode(), "1 sequences such as"),
        ("utf-8", "a\ndonâ€™t\n".encode(), "1 sequences such as"),
        ("utf-8", "a\n锟斤拷锟斤拷\n".encode(), "2 sequences such as"),
        ("utf-8", "a\nJ\ufffdrg\n".encode(), "U+FFFD"),
        ("utf-8", "a\nx\x85\x96\n".encode(), "2 control characters"),
        ("latin-1", b"a\nit\x92s \xe9t\xe9\n", "1 control characters"),
        ("utf-8", b"a\n1\0\n", "NUL"),
    ],
)
def test_text_that_looks_wrong_is_a_warning(
    folder: Folder, declared: str, content: bytes, said: str
) -> None:
    (warning,) = folder.parse(folder.write("c.csv", content), encoding=declared).warnings
    assert said in warning
    assert warning.startswith(f"{WHERE}: ")


def test_damaged_gzip(folder: Folder) -> None:
    stored = gzip.compress(b"a,b\n" + random.Random(1).randbytes(300_000).hex().encode())
    assert "ends before its end" in folder.refused(folder.write("c.csv.gz", stored[:-5000]))
    assert "ends before its end" in folder.refused(folder.write("c.csv.gz", stored[:-3]))
    broken = bytearray(stored)
    broken[len(broken) // 2] ^= 0xFF
    assert "damaged gzip" in folder.refused(folder.write("c.csv.gz", bytes(broken)))


def test_gzip_of_several_members_and_padding(folder: Folder) -> None:
    stored = gzip.compress(b"a\n1\n") + gzip.compress(b"2\n") + b"\0" * 100
    parsed = folder.parse(folder.write("c.csv.gz", stored))
    assert folder.rows("a") == [("1",), ("2",)]
    assert parsed.files[0].sha256 == hashlib.sha256(stored).hexdigest()


def test_needed_columns(folder: Folder) -> None:
    file = folder.write("customers.csv", "cust_no,sex\n1,F\n")
    folder.parse(file, columns_needed=["sex", "cust_no"])
    folder.target.unlink()
    message = folder.refused(file, columns_needed=["custno"])
    assert 'has no column "custno" (did you mean "cust_no"?); it has: cust_no, sex.' in message
    assert "delimiter" in folder.refused(file, columns_needed=["sex"], delimiter=";")


def test_glob_of_files_with_columns_in_another_order(folder: Folder) -> None:
    first = folder.write("tx_1.csv", "id,amount\n1,10\n2,20\n")
    second = folder.write("tx_2.csv.gz", gzip.compress(b"amount;id\n30;3\n40\n"))
    parsed = folder.parse(first, second)
    assert folder.rows("id, amount, _file, _row, _fields") == [
        ("1", "10", "tx_1.csv", 1, None),
        ("2", "20", "tx_1.csv", 2, None),
        ("3", "30", "tx_2.csv.gz", 1, None),
        (None, "40", "tx_2.csv.gz", 2, "too few"),
    ]
    assert [(file.name, file.rows) for file in parsed.files] == [
        ("tx_1.csv", 2),
        ("tx_2.csv.gz", 2),
    ]


def test_files_of_one_name_are_told_apart(folder: Folder) -> None:
    files = [folder.write(f"{year}/tx.csv", "a\n1\n") for year in (2024, 2025)]
    folder.parse(*files)
    assert folder.rows("_file") == [("2024/tx.csv",), ("2025/tx.csv",)]


def test_files_that_do_not_fit_together(folder: Folder) -> None:
    first = folder.write("a.csv", "id,amount\n1,10\n")
    second = folder.write("b.csv", "id,Amount\n1,10\n")
    parquet = folder.path / "c.parquet"
    pd.DataFrame({"id": [1]}).to_parquet(parquet)
    message = folder.refused(first, second)
    assert 'b.csv lacks "amount" and has "Amount" besides' in message
    assert "files of one kind" in folder.refused(first, parquet)
    book = folder.write("d.xlsx", b"PK\x03\x04rest")
    assert "Excel workbook" in folder.refused(book)


def test_order_and_numbers_of_many_rows(folder: Folder) -> None:
    count = 300_000
    lines = "".join(f'{i},"line\n{i}"\n' + "\n" * (i % 7 == 0) for i in range(1, count + 1))
    first = folder.write("tx_1.csv", "id,text\n" + lines)
    second = folder.write("tx_2.csv", "id,text\n" + lines)
    for con in (None, duckdb.connect(config={"threads": 2})):
        assert folder.parse(first, second, con=con).rows == 2 * count
        read = duckdb.sql(f"SELECT id, _row, _file FROM '{folder.target}'").df()
        expected = np.concatenate([np.arange(1, count + 1)] * 2)
        assert (read["id"].astype(int).to_numpy() == expected).all()
        assert (read["_row"].to_numpy() == expected).all()
        assert (read["_file"] == ["tx_1.csv"] * count + ["tx_2.csv"] * count).all()


def test_existing_target_is_replaced_only_by_a_whole_one(folder: Folder) -> None:
    folder.parse_text("a\n1\n")
    before = folder.target.read_bytes()
    with pytest.raises(CustomerlabError):
        folder.parse(folder.write("bad.csv", 'a\n1\n"'))
    assert folder.target.read_bytes() == before
    assert [path.name for path in folder.target.parent.iterdir()] == ["customers.parquet"]


def test_parquet_keeps_types(folder: Folder) -> None:
    file = folder.path / "x.parquet"
    duckdb.sql(
        f"""COPY (SELECT 1::INTEGER i, 'NaN'::DOUBLE f, 1.50::DECIMAL(9,2) m, DATE '2025-01-31' d,
        TIMESTAMP_NS '2025-01-31 10:00:00.123456' t, TIMESTAMPTZ '2025-01-31 10:00:00+08' z,
        true b, ' ' s, [1, 2] l, 255::UTINYINT u, 18446744073709551615::UBIGINT w,
        'caf'::BLOB x, '\\xFF'::BLOB y, TIME '10:00:00' c, 7 AS " id ")
        TO '{file}' (FORMAT parquet)"""
    )
    parsed = folder.parse(file, columns_needed=["id"])
    (row,) = folder.rows()
    assert np.isnan(row[1])
    utc = dt.datetime(2025, 1, 31, 2)
    assert (row[0], *row[2:]) == (
        1, Decimal("1.50"), dt.date(2025, 1, 31), dt.datetime(2025, 1, 31, 10, 0, 0, 123456), utc,
        True, None, "[1, 2]", 255, Decimal(2**64 - 1), "caf", "\\xFF", "10:00:00", 7,
        "x.parquet", 1, None, None,
    )  # fmt: skip
    assert "time zone in z" in parsed.warnings[0]
    assert parsed.files[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_parquet_files_of_one_shape(folder: Folder) -> None:
    """A client's own column may be called as engines call a file's name."""
    files = [folder.path / f"{name}.parquet" for name in "ab"]
    pd.DataFrame({"i": [1, 2], "filename": ["x", " "]}).to_parquet(files[0])
    pd.DataFrame({"i": [3], "filename": ["y"]}).to_parquet(files[1])
    assert [file.rows for file in folder.parse(*files).files] == [2, 1]
    assert folder.rows("i, filename, _file, _row") == [
        (1, "x", "a.parquet", 1),
        (2, None, "a.parquet", 2),
        (3, "y", "b.parquet", 1),
    ]


def test_a_column_called_as_the_reader_calls_row_numbers(folder: Folder) -> None:
    file = folder.path / "x.parquet"
    pd.DataFrame({"File_Row_Number": [1]}).to_parquet(file)
    assert "Rename it in the file" in folder.refused(file)


def test_parquet_files_of_unlike_types(folder: Folder) -> None:
    files = [folder.path / f"{n}[1].parquet" for n in range(2)]
    pd.DataFrame({"i": [1, 2], "n": [1, 2], "d": ["x", "y"]}).to_parquet(files[0])
    pd.DataFrame({"d": [1, 2], "n": [0.5, None], "i": [3, 4]}).to_parquet(files[1])
    folder.parse(*files)
    assert folder.rows("i, n, d, _row") == [
        (1, 1.0, "x", 1),
        (2, 2.0, "y", 2),
        (3, 0.5, "1", 1),
        (4, None, "2", 2),
    ]


@pytest.mark.parametrize("cut", [6, 200, -1])
def test_unreadable_parquet(folder: Folder, cut: int) -> None:
    file = folder.path / "x.parquet"
    pd.DataFrame({"i": range(1000)}).to_parquet(file)
    file.write_bytes(file.read_bytes()[:cut])
    assert "cannot be read as Parquet" in folder.refused(file)


def test_damaged_parquet_page(folder: Folder) -> None:
    file = folder.path / "x.parquet"
    pd.DataFrame({"i": np.random.default_rng(1).random(100_000)}).to_parquet(file)
    content = bytearray(file.read_bytes())
    content[2000:300_000] = b"\xff" * 298_000
    file.write_bytes(bytes(content))
    assert "cannot be read as Parquet" in folder.refused(file)


def test_resolve_files(folder: Folder) -> None:
    root, raw = folder.path / "my [root]", folder.path / "my [root]" / "data" / "acme" / "raw"
    inside = Folder(root)
    one, two, odd = (
        inside.write(f"data/acme/raw/{name}", "a\n")
        for name in ("tx_2.csv", "sub/tx_1.csv", "tx[3].csv")
    )

    def find(path: str | list[str] | None, table: str = "transactions") -> list[Path]:
        return resolve_files(path, root, raw, table, WHERE)

    assert find("data/acme/raw/tx_*.csv") == [one]
    assert find("data/acme/**/tx_*.csv") == [two, one]
    assert find(["data/acme/raw/*.csv", str(one), str(two)]) == [two, odd, one]
    assert find("data/acme/raw/tx[3].csv") == [odd]
    assert find(None, "tx_2") == [one]
    for path, said in {
        "data/acme/raw/tx_3.csv": 'tx_3.csv (did you mean "tx_2.csv"?). There is: ',
        "data/acme/raw/no*": "There is: tx[3].csv, tx_2.csv.",
        "data/acmee/raw/x.csv": 'has no folder acmee (did you mean "acme/"?). There is: acme/.',
        "data/acme/raw": "it is a folder",
        "../../../../../nowhere/x.csv": "has no folder",
    }.items():
        with pytest.raises(CustomerlabError) as caught:
            find(path)
        assert said in str(caught.value)
        assert str(caught.value).startswith(f"{WHERE}: no file matches ")
    with pytest.raises(CustomerlabError, match=r"no file matches .*transactions\.\*"):
        find(None)


def test_sniff_text(folder: Folder) -> None:
    text = "客户号;姓名\n" + "".join(f"{i};张伟\n" for i in range(300)) + "7\n"
    seen = sniff(folder.write("c.csv.gz", gzip.compress(text.encode("gb18030"))))
    assert (seen.delimiter, seen.encoding, seen.header) == (";", "gb18030", ("客户号", "姓名"))
    assert seen.sample.shape == (200, 2)
    assert seen.sample.iloc[199].tolist() == ["199", "张伟"]
    short = sniff(folder.write("d.csv", "a,b\n1\n,2,3\n")).sample
    assert short.to_numpy().tolist() == [["1", None], [None, "2"]]
    assert sniff(folder.write("e.csv", "a,b")).sample.shape == (0, 2)


def test_sniff_parquet(folder: Folder) -> None:
    file = folder.path / "c.parquet"
    pd.DataFrame({"id": [1, 2], "on": [dt.date(2025, 1, 31), None]}).to_parquet(file)
    seen = sniff(file)
    assert (seen.delimiter, seen.encoding, seen.header) == (None, None, ("id", "on"))
    assert seen.sample.to_numpy().tolist() == [["1", "2025-01-31"], ["2", None]]


def test_sniff_finds_utf16(folder: Folder) -> None:
    seen = sniff(folder.write("c.csv", "a\tb\n1\té\n".encode("utf-16")))
    assert (seen.delimiter, seen.encoding, seen.sample.iloc[0, 1]) == ("\t", "utf-16", "é")
