"""One checked expression from the client's parameter file.

The oracle for what an expression means is DuckDB, given the client's own SQL text; where we mean
something else on purpose, the test says so.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import pytest
from ibis.config import Config

from customerlab.conditions import compile_expression
from customerlab.errors import CustomerlabError

WHERE = "params/acme.yaml: data_cleaning.rules[0].when"
SQL_TYPES = {
    "id": "BIGINT",
    "order_id": "VARCHAR",
    "occupation": "VARCHAR",
    "assets": "DECIMAL(18, 4)",
    "quantity": "DOUBLE",
    "visits": "INTEGER",
    "small": "TINYINT",
    "is_payroll": "BOOLEAN",
    "joined_on": "DATE",
    "occurred_at": "TIMESTAMP",
    "month": "DATE",
    "Given Name": "VARCHAR",
    "客户号": "VARCHAR",
    "listed": "BIGINT[]",
}
_IBIS = {"DOUBLE": "float64", "TINYINT": "int8", "TIMESTAMP": "timestamp(6)"}
_IBIS |= {"BIGINT": "int64", "INTEGER": "int32", "VARCHAR": "string", "BIGINT[]": "array<int64>"}
SCHEMA = ibis.schema({name: _IBIS.get(kind, kind.lower()) for name, kind in SQL_TYPES.items()})
ROWS = """
    (1, 'C100', 'farmer', 100, 2.5, 3, 100, true, DATE '2024-01-31',
        TIMESTAMP '2024-01-31 10:00:00', DATE '2024-01-01', 'Ann', '甲1', NULL),
    (2, 'c200', ' Clerk ', 100.1, -2.5, 0, -100, false, DATE '2024-02-29',
        TIMESTAMP '2025-12-31 23:59:59.5', DATE '2025-12-01', 'Bo"b', '乙2', [1]),
    (3, '50%_x', '', 0.1, 0, NULL, 0, NULL, NULL, NULL, NULL, 'O''Neil', '', NULL),
    (4, NULL, NULL, NULL, NULL, 7, NULL, true, DATE '1999-12-31', TIMESTAMP '1999-12-31 00:00:00',
        DATE '1999-12-01', NULL, NULL, NULL),
    (5, 'A\\B', 'line' || chr(10) || 'two', -33.3333, 'NaN', -7, 7, false, DATE '2025-01-31',
        TIMESTAMP '2025-01-31 00:00:00', DATE '2025-01-01', '12', '12', NULL),
    (6, '2025-01-31', 'Ünal', 12345678.9012, 'Infinity', 21474, 12, true,
        DATE '2025-06-30', TIMESTAMP '2025-06-30 12:00:00', DATE '2025-06-01', '-1.5', ' 7 ', NULL),
    (7, '2025-02-30', 'true', -0.5, 1e-9, 1, 1, false, DATE '2025-06-30',
        TIMESTAMP '2025-06-30 12:00:00', DATE '2025-06-01', 'x%', '1e2', NULL)
"""


@pytest.fixture(scope="module")
def con() -> ibis.BaseBackend:
    connection = ibis.duckdb.connect()
    columns = ", ".join(f'"{name}" {kind}' for name, kind in SQL_TYPES.items())
    connection.raw_sql(f"CREATE TABLE t ({columns})")
    connection.raw_sql(f"INSERT INTO t VALUES {ROWS}")
    return connection


def values(con: ibis.BaseBackend, text: str, **options: object) -> list:
    """Return the expression's value for each row of the table."""
    table = con.table("t")
    expression = compile_expression(text, SCHEMA, where=WHERE, **options)
    query = table.select("id", x=expression(table)).order_by("id")
    return [row[1] for row in con.raw_sql(ibis.to_sql(query)).fetchall()]


def refused(text: str, **options: object) -> str:
    """Return the message with which the expression is refused."""
    with pytest.raises(CustomerlabError) as caught:
        compile_expression(text, SCHEMA, where=WHERE, **options)
    message = str(caught.value)
    assert message.startswith(f"{WHERE}: ")
    assert message.isprintable()
    assert len(message) < 1000
    return message


CONDITIONS = """
assets <= 100 AND visits >= 3
assets = 0.1
assets = 100.1 OR assets > 12345678.9011
assets = 0.10000 OR quantity < 0.000000002
0.1 + 0.2 = 0.3
ASSETS <= 100 and Is_Payroll
NOT is_payroll
NOT (is_payroll OR visits > 1)
is_payroll = false
is_payroll <> (visits > 0)
order_id LIKE 'C%'
order_id ILIKE 'c%'
order_id NOT LIKE 'C%'
NOT order_id LIKE '_2__'
order_id NOT ILIKE 'C%'
order_id LIKE '50!%!_%' ESCAPE '!'
order_id NOT LIKE '%!%%' ESCAPE '!'
order_id ILIKE '%!_X' ESCAPE '!'
order_id LIKE 'A\\B'
order_id LIKE '%\\%'
order_id LIKE '(.*)'
occupation LIKE 'line%two'
occupation LIKE 'lineX%two' ESCAPE '#'
occupation LIKE 'line%t_o' ESCAPE '#'
occupation ILIKE 'ünal'
occupation = ''
occupation <> 'farmer'
occupation IN ('farmer', 'Ünal', '')
occupation NOT IN ('farmer', 'Ünal')
occupation IS NULL
occupation IS NOT NULL AND NOT order_id IS NULL
visits IN (3, -7, 0)
assets IN (100, 0.1, -33.3333)
quantity IN (2.5, -2.5)
visits BETWEEN 0 AND 3
visits NOT BETWEEN 0 AND 3
assets BETWEEN -33.3333 AND 100.1
joined_on = DATE '2024-02-29'
joined_on > '2024-02-29'
joined_on BETWEEN '2024-01-31' AND '2025-01-31'
joined_on IN ('2024-01-31', DATE '1999-12-31')
joined_on NOT IN ('2024-01-31')
occurred_at >= '2025-01-31'
occurred_at > '2025-12-31 23:59:59'
occurred_at = TIMESTAMP '2025-12-31 23:59:59.5'
occurred_at > joined_on
month < joined_on
YEAR(joined_on) = 2024 AND MONTH(occurred_at) = 1
EXTRACT(day FROM joined_on) = 31
STARTS_WITH(order_id, 'C') OR CONTAINS(occupation, 'lerk')
"Given Name" = 'O''Neil' OR "Given Name" = 'Bo"b'
客户号 = '甲1'
1 = 1
1 > 2
true
small + 1 > 100
visits * visits > 1000000
CASE WHEN visits > 1 THEN is_payroll ELSE order_id IS NULL END
quantity = quantity
quantity > 1e308
id IN (1, 2) OR id IN (3) AND visits IS NULL
(id) = ((1))
is_payroll AND visits > 0 OR assets < 0
""".strip().splitlines()

VALUES = """
assets + 1
assets * 2 * 3
assets * 1.05
assets - visits
visits * assets
-assets
- -visits
-visits % 3
visits % 3
assets % 7
assets / 4
visits / 4
quantity / visits
1 / visits
visits % 0
small - 1
quantity * assets
quantity - 1
id + visits * 2 - 3
(id + visits) * 2
2 - 3 - 4
100 / 10 / 2
order_id || '-' || occupation
CASE WHEN visits > 2 THEN 'many' WHEN visits IS NULL THEN 'unknown' ELSE 'few' END
CASE visits WHEN 3 THEN 0.5 WHEN 7 THEN 1 END
CASE WHEN is_payroll THEN assets ELSE quantity END
CASE WHEN is_payroll THEN visits ELSE assets END
CASE WHEN is_payroll THEN NULL ELSE 1 END
COALESCE(order_id, occupation, 'none')
COALESCE(visits, assets, 0)
COALESCE(joined_on, '2000-01-01')
COALESCE(joined_on, occurred_at)
NULLIF(occupation, '')
NULLIF(visits, 0)
ABS(assets)
ABS(visits)
ABS(quantity)
ROUND(assets)
ROUND(assets, 2)
ROUND(assets, 9)
ROUND(quantity)
ROUND(quantity, 1)
ROUND(visits, 2)
FLOOR(assets)
FLOOR(quantity)
CEIL(assets)
CEIL(quantity)
CEIL(visits)
LEAST(assets, visits)
LEAST(visits, id, 2)
GREATEST(quantity, visits)
GREATEST(joined_on, '2025-01-01')
LOWER(occupation)
UPPER(occupation)
TRIM(occupation)
LENGTH(occupation)
SUBSTRING(order_id, 2, 2)
SUBSTR(order_id, 2)
SUBSTRING(order_id FROM 1 FOR 2)
LEFT(order_id, 2)
LEFT(order_id, 0)
RIGHT(order_id, 2)
REPLACE(order_id, '0', 'o''o')
REPLACE(order_id, '\\', '')
LPAD(客户号, 3, '0')
LPAD(order_id, 2, '*')
YEAR(occurred_at) * 100 + MONTH(occurred_at)
DAY(month)
CAST(visits AS TEXT)
CAST(assets AS VARCHAR)
CAST(is_payroll AS TEXT)
CAST(joined_on AS TEXT)
CAST(visits AS DOUBLE)
CAST(assets AS DOUBLE)
visits::DECIMAL(10, 2)
CAST(is_payroll AS INTEGER)
CAST(visits AS BOOLEAN)
CAST(occurred_at AS DATE)
CAST(joined_on AS TIMESTAMP)
TRY_CAST("Given Name" AS DOUBLE)
TRY_CAST("Given Name" AS DECIMAL(6, 1))
TRY_CAST(客户号 AS DOUBLE)
TRY_CAST(order_id AS DATE)
TRY_CAST(order_id AS TIMESTAMP)
TRY_CAST(assets AS DECIMAL(5, 1))
TRY_CAST(occupation AS BOOLEAN)
CAST('12' AS INTEGER) + 1
DATE '2025-01-31'
'x'
12345678901234567890
0.1
.5
""".strip().splitlines()


def duckdb_values(con: ibis.BaseBackend, text: str) -> list:
    """Return what DuckDB makes of the client's own text."""
    return [row[0] for row in con.raw_sql(f"SELECT {text} FROM t ORDER BY id").fetchall()]


@pytest.mark.parametrize("text", CONDITIONS)
def test_condition_means_what_duckdb_says(con: ibis.BaseBackend, text: str) -> None:
    expected = [bool(met) for met in duckdb_values(con, text)]  # null is not a match
    assert values(con, text, boolean=True) == expected


@pytest.mark.parametrize("text", VALUES)
def test_value_is_what_duckdb_says(con: ibis.BaseBackend, text: str) -> None:
    # DuckDB gives infinity for a division by zero
    expected = duckdb_values(con, text.replace("/ visits", "/ NULLIF(visits, 0)"))
    found = values(con, text)
    assert [_number(x) for x in found] == [_number(x) for x in expected]


def _number(value: object) -> object:
    if isinstance(value, float) and value != value:
        return "NaN"
    return value


@pytest.mark.parametrize("text", CONDITIONS + VALUES)
def test_checked_text_is_a_fixed_point(text: str) -> None:
    once = compile_expression(text, SCHEMA, where=WHERE)
    again = compile_expression(once.sql, SCHEMA, where=WHERE)
    table = ibis.table(SCHEMA, name="t")
    assert (once.sql, once.columns, once.type) == (again.sql, again.columns, again.type)
    assert once(table).equals(again(table))
    assert set(once.columns) <= set(SCHEMA.names)


class SparkOptions(Config):
    """What Ibis asks for when it writes SQL for Spark."""

    treat_nan_as_null: bool = False


@pytest.mark.parametrize("text", CONDITIONS + VALUES)
def test_every_construct_compiles_for_spark(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # an option that Ibis sets when it connects, which compiling alone does not
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    table = ibis.table(SCHEMA, name="t")
    value = compile_expression(text, SCHEMA, where=WHERE)(table)
    sql = ibis.to_sql(table.select(x=value), dialect="pyspark")
    # Spark reads these escapes as the letters v and f
    assert "\\v" not in sql
    assert "\\f" not in sql


def test_where_we_differ_from_duckdb(con: ibis.BaseBackend) -> None:
    for text, expected in {
        "TRY_CAST('1.5' AS INTEGER)": None,
        "TRY_CAST('1_000' AS INTEGER)": None,
        "TRY_CAST('NaN' AS DOUBLE)": None,
        "TRY_CAST('-Infinity' AS DOUBLE)": None,
        "TRY_CAST('1e400' AS DOUBLE)": None,
        "CAST('nonsense' AS INTEGER)": None,
        "CAST(' -7 ' AS INTEGER)": -7,
        "CAST(2.5 AS INTEGER)": 3,
        "CAST(2.5e0 AS INTEGER)": 3,
        "CAST(-2.5e0 AS INTEGER)": -3,
        "CAST(1e300 AS INTEGER)": None,
        "CAST(3000000000 AS INTEGER)": 3_000_000_000,
        "small * small * small": 1_000_000,
        "visits * 1000000000000": 3_000_000_000_000,
        "99999999999999.9999 + 1 - assets * 0": Decimal("100000000000000.9999"),
        "99999999999999.9999 * 3 + assets * 0": Decimal("299999999999999.9997"),
        "CEIL(99999999999999.9999)": Decimal("100000000000000"),
        "ROUND(9.95, 1)": Decimal("10.0"),
        "CAST(1000 AS DECIMAL(3, 1))": None,
        "CAST('2025/01/31' || '' AS DATE)": None,
        "CAST('2025-02-30' || '' AS DATE)": None,
        "CAST('2025-01-31 25:00' || '' AS TIMESTAMP)": None,
        "CAST('2025-01-31T10:00' || '' AS TIMESTAMP)": dt.datetime(2025, 1, 31, 10),
        "CAST('maybe' AS BOOLEAN)": None,
        "CAST('Y' AS BOOLEAN)": True,
        "7 / 2": 3.5,
        "0 / 0": None,
        "5.5 % 0": None,
    }.items():
        assert (text, values(con, text)[0]) == (text, expected)


def test_null_is_never_a_match(con: ibis.BaseBackend) -> None:
    for text in ["visits > 0", "NOT visits > 0", "visits <> 1", "NOT occupation IN ('x')"]:
        met = values(con, text, boolean=True)
        nulls = [row is None for row in duckdb_values(con, text)]
        assert any(nulls)
        assert set(met) <= {True, False}
        assert not any(m for m, null in zip(met, nulls, strict=True) if null)
    assert None in values(con, "visits > 0")


def test_exact_decimals(con: ibis.BaseBackend) -> None:
    # a sum of floats would miss: 0.1 + 0.2 is not 0.3 there
    assert values(con, "assets * 3 = 0.3", boolean=True)[2] is True
    (found,) = {type(x) for x in values(con, "assets * 1.05") if x is not None}
    assert found is Decimal
    table = con.table("t")
    doubled = compile_expression("assets * assets", SCHEMA, where=WHERE)
    assert table.select(x=doubled(table)).to_pandas()["x"][4] == Decimal("1111.10888889")


def test_expression_object() -> None:
    found = compile_expression('ASSETS<=100 and "visits">2', SCHEMA, where=WHERE, boolean=True)
    assert found.sql == 'assets <= 100 AND "visits" > 2'
    assert found.columns == ("assets", "visits")
    assert found.type.is_boolean()
    assert compile_expression("assets", SCHEMA, where=WHERE).type == SCHEMA["assets"]


ATTACKS = {
    "1=1; drop table t": 'without ";"',
    "1=1;": 'without ";"',
    "id > 1 -- comment": "without comments",
    "id > 1 /* comment */": "without comments",
    "id > (SELECT 1)": "a subquery",
    "id IN (SELECT id FROM t)": "a subquery",
    "EXISTS (SELECT 1)": "a subquery",
    "id = ANY (SELECT 1)": "a subquery",
    "COALESCE(id, (SELECT 1)) > 0": "a subquery",
    "SELECT 1": "cannot be read",
    "id > 1 UNION SELECT 1": "cannot be read",
    "read_csv('/etc/passwd')": "READ_CSV may not be used",
    "id > 1 FROM read_csv('/etc/passwd')": "cannot be read",
    "read_text('/etc/passwd') = ''": "READ_TEXT may not be used",
    "getenv('HOME') = ''": "GETENV may not be used",
    "nextval('s') > 1": "NEXTVAL may not be used",
    "current_setting('x') = ''": "may not be used",
    "random() < 0.5": "chance may not be used",
    "uuid() = ''": "chance may not be used",
    "gen_random_uuid() = ''": "chance may not be used",
    "now() > joined_on": "the clock may not be used",
    "today() > joined_on": "the clock may not be used",
    "joined_on < current_date": "the clock may not be used",
    "occurred_at < CURRENT_TIMESTAMP": "the clock may not be used",
    "occurred_at < localtimestamp": "the clock may not be used",
    "COPY t TO 'x'": "cannot be read",
    "PRAGMA version": "cannot be read",
    "ATTACH 'x'": "cannot be read",
    "INSTALL httpfs": "cannot be read",
    "SET x = 1": "cannot be read",
    "DROP TABLE t": "cannot be read",
    "count(*) > 1": "no counts, sums or windows",
    "sum(assets) > 1": "no counts, sums or windows",
    "row_number() OVER () = 1": "no counts, sums or windows",
    "lag(id) OVER (ORDER BY id) = 1": "no counts, sums or windows",
    "*": "may not be used",
    "COLUMNS('x') > 1": "may not be used",
    "id = ?": "a parameter",
    "id = $1": "a parameter",
    "id = :x": "a parameter",
    "t.id = 1": "without a table",
    "main.t.id = 1": "without a table",
    "listed[1] = 1": "may not be used",
    "listed = [1]": "may not be used",
    "{'a': 1} = 1": "may not be used",
    "list_transform(listed, x -> x + 1) = 1": "may not be used",
    "id ** 2 > 1": "may not be used",
    "id // 2 > 1": "may not be used",
    "order_id ~ 'x'": "may not be used",
    "order_id SIMILAR TO 'x'": "may not be used",
    "order_id COLLATE nocase = 'x'": "may not be used",
    "occurred_at AT TIME ZONE 'UTC' > joined_on": "may not be used",
    "joined_on + INTERVAL 1 DAY > joined_on": "INTERVAL",
    "E'\\x41' = order_id": "may not be used",
    "$$x$$ = order_id": "may not be used",
    "CAST(order_id AS BLOB) IS NULL": "no type to cast to",
    "CAST(order_id AS INTEGER[]) IS NULL": "no type to cast to",
    "CAST(order_id AS STRUCT(a INTEGER)) IS NULL": "no type to cast to",
    "TRY(id) = 1": "may not be used",
    "TRIM(LEADING 'x' FROM order_id) = ''": "this form of TRIM",
    "id IN listed": "this form of IN",
    "id BETWEEN SYMMETRIC 1 AND 2": "this form of BETWEEN",
    "id＞1": "write >",
    "id > 1；": "write ;",
    "order_id = ‘x’": "write '",
    "order_id = “x”": 'write "',
    "id\u00a0> 1": "U+00A0",
    "id > 1\u200b": "U+200B",
    "id\u202e > 1": "U+202E",
    "id > 1\x00": "U+0000",
    "order_id = 'x\x00'": "U+0000",
    "idа > 1": 'no column "idа" (did you mean "id"?)',  # a Cyrillic letter
    "(" * 2000 + "1" + ")" * 2000: "nested too deeply",
    " OR ".join(["id = 1"] * 400): "nested too deeply",
    "NOT " * 500 + "is_payroll": "nested too deeply",
    "id = 1 " + " " * 10_000: "longer than",
}


@pytest.mark.parametrize("text", ATTACKS, ids=lambda text: ascii(text[:40]))
def test_attacks_are_refused(text: str) -> None:
    assert ATTACKS[text] in refused(text, boolean=True)
    assert ATTACKS[text] in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "occupation > 5": "occupation is text and 5 is a number; write CAST(occupation AS DOUBLE)",
        "5 = occupation": "5 is a number and occupation is text; write CAST(5 AS TEXT)",
        "is_payroll = 1": "is_payroll is true or false and 1 is a number; write is_payroll, or NOT",
        "is_payroll > false": "have no order",
        "visits": "expected a condition, found a number",
        "order_id": "expected a condition, found text",
        "NULL": "always null",
        "visits AND is_payroll": "expected a condition, and visits is a number",
        "NOT order_id": "expected a condition, and order_id is text",
        "visits + order_id > 1": "order_id is text; write CAST(order_id AS DOUBLE)",
        "-order_id > 1": "expected a number, and order_id is text",
        "visits || 'x' = 'x'": "expected text, and visits is a number; write CAST(visits AS TEXT)",
        "LENGTH(visits) > 1": "expected text, and visits is a number",
        "YEAR(order_id) > 1": "expected a date, and order_id is text; write CAST(order_id AS DATE)",
        "joined_on > '2025-02-30'": "'2025-02-30' is not a date such as '2025-01-31'",
        "joined_on > '31.01.2025'": "'31.01.2025' is not a date such as",
        "occurred_at > 'noon'": "'noon' is not a date with time such as '2025-01-31 10:00:00'",
        "joined_on > DATE '2025-13-01'": "'2025-13-01' is not a date",
        "joined_on > order_id": "joined_on is a date and order_id is text",
        "order_id > joined_on": "write CAST(order_id AS DATE)",
        "joined_on > 20250131": "joined_on is a date and 20250131 is a number",
        "order_id = NULL": "write IS NULL or IS NOT NULL",
        "order_id LIKE occupation": "a pattern in quotes",
        "visits LIKE '1%'": "expected text, and visits is a number",
        "order_id LIKE 'x!y' ESCAPE '!'": "expected %, _ or ! after !",
        "order_id LIKE 'x' ESCAPE ''": "one character after ESCAPE",
        "visits IN (id)": "expected values after IN, found id",
        "visits IN (1, NULL)": "expected values after IN, found NULL",
        "visits IN ()": "expected values after IN",
        "visits IN (1, 'x')": "visits is a number and 'x' is text",
        "visits IS TRUE": "only be followed by NULL",
        "listed = listed": "cannot be used",
        "CASE WHEN visits THEN true END": "expected a condition, and visits is a number",
        "CASE WHEN is_payroll THEN 1 ELSE 'x' END = 1": "1 is a number and 'x' is text",
        "COALESCE(visits, order_id) = 1": "visits is a number and order_id is text",
        "CAST(joined_on AS INTEGER) > 1": "a date does not become a number",
        "CAST(visits AS DECIMAL(50, 2)) > 1": "at most 38 digits",
        "ROUND(assets, visits) > 1": "expected a whole number from 0, found visits",
        "SUBSTRING(order_id, 0) = ''": "expected a whole number from 1, found 0",
        "LEFT(order_id, -1) = ''": "expected a whole number from 0, found -1",
        "LPAD(order_id, 5, 'xy') = ''": "one character",
        "1e999 > visits": "1e999",
        "1" * 39 + " > visits": "longer than 38 digits",
        "assets" + " * assets" * 9 + " > 1": "more than 38 decimals",
        "asets > 1": 'no column "asets" (did you mean "assets"?); there is: id, order_id,',
        "ORDERID = 'x'": 'did you mean "order_id"?',
        "lenght(order_id) > 1": 'LENGHT may not be used (did you mean "LENGTH"?)',
        "": "found nothing",
        "  \n ": "found nothing",
        "visits >": 'cannot be read as one SQL expression at ">" after "visits"',
        "visits > 1 AS x": 'at "AS" after "visits > 1"',
        "visits > 1 visits": 'at "visits" after "visits > 1"',
        "(visits > 1": "cannot be read",
        "visits > 1)": "cannot be read",
        "order_id = 'x": "a quote is not closed",
        '"order_id = 1': "a quote is not closed",
        "visits > 0x1F": "cannot be read",
    }.items(),
)
def test_mistakes_are_explained(text: str, said: str) -> None:
    message = refused(text, boolean=True)
    assert said in message
    assert text[:200].replace("\n", " ") in message


def test_message_names_part_and_whole() -> None:
    assert refused("visits > 1 AND occupation > 5", boolean=True) == (
        f"{WHERE}: occupation is text and 5 is a number; write CAST(occupation AS DOUBLE), "
        'in "occupation > 5" of "visits > 1 AND occupation > 5".'
    )


def test_column_names_in_other_case() -> None:
    schema = {"id": "int64", "Id": "string", "Name": "string"}
    schema = {name: ibis.dtype(kind) for name, kind in schema.items()}
    assert compile_expression("id = 1", schema, where=WHERE).columns == ("id",)
    assert compile_expression("Id = '1'", schema, where=WHERE).columns == ("Id",)
    assert compile_expression("NAME = '1'", schema, where=WHERE).columns == ("Name",)
    with pytest.raises(CustomerlabError, match='no column "ID"'):
        compile_expression("ID = 1", schema, where=WHERE)


@pytest.mark.parametrize(
    "name", ["comment", "left", "date", "select", "a'b", 'a"b', "1", "x;y", "*"]
)
def test_any_column_name_can_be_quoted(name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    found = compile_expression(f"{quoted} > 1", {name: ibis.dtype("int64")}, where=WHERE)
    assert found.columns == (name,)
    rows = ibis.memtable({name: [1, 2]})
    assert rows.select(x=found(rows)).to_pandas()["x"].tolist() == [False, True]


def test_hostile_text_in_quotes_stays_text(con: ibis.BaseBackend) -> None:
    text = "'; DROP TABLE t; --"
    quoted = text.replace("'", "''")
    assert values(con, f"COALESCE('{quoted}', order_id)") == [text] * 7
    assert con.table("t").count().execute() == 7


def test_long_but_flat_conditions_run(con: ibis.BaseBackend) -> None:
    text = " OR ".join(f"visits = {i}" for i in range(100))
    assert sum(values(con, text, boolean=True)) == 4
    text = f"visits IN ({', '.join(map(str, range(1000)))})"
    assert sum(values(con, text, boolean=True)) == 4


@pytest.mark.parametrize(
    ("text", "comparisons"),
    [
        ("assets <= 100 AND visits >= 12", [("assets", "<=", 100), ("visits", ">=", 12)]),
        ("100 > assets", [("assets", "<", 100)]),
        ("12 <= visits OR quantity = 0.5", [("quantity", "=", 0.5), ("visits", ">=", 12)]),
        ("NOT (visits > 3)", [("visits", ">", 3)]),
        ("ASSETS < 1e3", [("assets", "<", 1000)]),
        ("assets <= quantity", []),
        ("occupation = 'farmer' AND is_payroll", []),
        ("assets + 1 <= 100", []),
        ("assets <> 100", [("assets", "<>", 100)]),
        ("3 != visits AND NOT (assets <> 5)", [("assets", "<>", 5), ("visits", "<>", 3)]),
        ("assets <> quantity", []),
        ("assets BETWEEN 5 AND 7", [("assets", "<=", 7), ("assets", ">=", 5)]),
        ("assets NOT BETWEEN 5 AND 7", [("assets", "<=", 7), ("assets", ">=", 5)]),
        ("visits IN (3, 1)", [("visits", "=", 1), ("visits", "=", 3)]),
        ("visits > -1 OR assets IN (-2)", [("assets", "=", -2), ("visits", ">", -1)]),
        ("assets BETWEEN quantity AND 7", []),
        ("occupation IN ('farmer')", []),
    ],
)
def test_comparisons_with_a_number_are_found_wherever_they_stand(text, comparisons):
    """By hand; the column is told first, whichever side it stands on."""
    expression = compile_expression(text, SCHEMA, where=WHERE, boolean=True)
    assert sorted(expression.comparisons) == comparisons


PLAIN = {
    "assets <= 100": True,
    "assets <= 100 AND visits >= 3": True,
    "(100 >= assets) AND ((visits > 0) AND quantity < 3)": True,
    "assets = 100": True,
    "assets <= 100 OR visits >= 3": False,
    "NOT assets <= 100": False,
    "NOT (assets > 100 AND visits < 3)": False,
    "assets <= 100 AND occupation = 'farmer'": False,
    "assets <= 100 AND is_payroll": False,
    "assets <= 100 AND assets <= quantity": False,
    "assets <= 100 AND visits IS NOT NULL": False,
    "assets BETWEEN 0 AND 100": True,
    "visits >= 3 AND assets BETWEEN 0 AND 100": True,
    "assets NOT BETWEEN 0 AND 100": False,
    "assets BETWEEN 0 AND quantity": False,
    "visits IN (3)": True,
    "assets <= 100 AND visits IN (3)": True,
    "visits IN (3, 1)": False,
    "assets <= 100 AND visits IN (3, 1)": False,
    "visits NOT IN (3)": False,
    "assets <> 100": True,
    "assets <= 100 AND 3 <> visits": True,
    "NOT assets <> 100": False,
    "(assets <= 100) = FALSE": False,
    "(assets <= 100) = (visits >= 3)": False,
    "CASE WHEN assets <= 100 THEN 1 ELSE 0 END = 0": False,
    "COALESCE(assets <= 100, TRUE)": False,
    "TRUE": False,
}


@pytest.mark.parametrize("text", PLAIN)
def test_a_conjunction_says_nothing_but_its_comparisons(con, text):
    """Oracle: what a conjunction removes is what its comparisons, each tried alone, all remove."""
    expression = compile_expression(text, SCHEMA, where=WHERE, boolean=True)
    assert expression.is_conjunction is PLAIN[text]
    if expression.is_conjunction:
        each = [
            values(con, f"{column} {sign} {number!r}", boolean=True)
            for column, sign, number in expression.comparisons
        ]
        together = [all(row) for row in zip(*each, strict=True)]
        assert values(con, text, boolean=True) == together
        assert any(together)


ONLY_COMPARED = {
    "visits >= 24": True,
    "24 <= ((visits))": True,
    "visits <> 24": True,
    "visits BETWEEN 3 AND 24": True,
    "visits NOT IN (3, 24)": True,
    "visits IS NULL": True,
    "NOT (visits) IS NULL AND visits >= 3": True,
    "CASE WHEN visits >= 24 THEN 1 ELSE 0 END = 1": True,
    "(visits >= 24) IS NULL": True,
    "assets * 2 >= 24": True,
    "visits >= 3 AND assets / 12 >= quantity": True,
    "TRUE": True,
    "visits * 1 >= 24": False,
    "visits / 12 >= 2": False,
    "-visits <= -24": False,
    "COALESCE(visits, 0) >= 24": False,
    "CAST(visits AS DOUBLE) >= 24": False,
    "(visits * 1) IS NULL": False,
    "visits >= quantity": False,
    "quantity < visits": False,
    "visits BETWEEN 3 AND quantity": False,
    "24 BETWEEN 3 AND visits": False,
    "CASE visits WHEN 24 THEN TRUE ELSE FALSE END": False,
    "CASE WHEN is_payroll THEN visits ELSE 0 END >= 24": False,
    "visits >= 3 AND VISITS + 0 >= 24": False,
}


@pytest.mark.parametrize("text", ONLY_COMPARED)
def test_whether_a_column_is_only_compared_with_numbers(con, text):
    """By hand. Oracle: whoever has more than the largest number is judged alike, however much more.

    The largest above is 24, so 25 visits and 21474 are the same to what only compares them.
    """
    expression = compile_expression(text, SCHEMA, where=WHERE, boolean=True)
    assert expression.only_compares("visits") is ONLY_COMPARED[text]
    if ONLY_COMPARED[text]:
        met = []
        for visits in (25, 21_474):
            t = con.table("t").mutate(visits=ibis.literal(visits, "int32")).order_by("id")
            met.append(t.select(met=expression(t)).to_pandas()["met"].tolist())
        assert met[0] == met[1] and len(met[0]) == 7
