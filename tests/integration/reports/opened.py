"""Opens the reports of one scan with other people's libraries: nothing is lost, nothing runs."""
import csv
import datetime
import decimal
import json
import re
import sys

import duckdb
import openpyxl
import pandas
import pyarrow
import pyarrow.parquet

folder = sys.argv[1]
with open(f"{folder}/r.json", encoding="utf-8") as file:
    report = json.load(file)
expected = [
    (group, record) for group in report["groups"] for record in group["records"]
]
assert len(expected) > 40, len(expected)


def key_of(group):
    return group["key"]["value.id"]


def unguarded(cell):
    return cell[1:] if cell.startswith("'") else cell


def check(rows, where):
    assert len(rows) == len(expected), (where, len(rows), len(expected))
    for row, (group, record) in zip(rows, expected):
        assert row["group"] == group["id"], (where, row)
        assert unguarded(row["value.id"]) == unguarded(key_of(group)), (where, row, group)
        assert (row["amount"] or None) == record["amount"], (where, row)
        assert row["timestamp"] == record["timestamp"], (where, row)
        assert unguarded(row["subject"]) == unguarded(record["subject"]), (where, row)
        for cell in row.values():
            if cell and not re.fullmatch(r"-?[0-9.]+", cell):
                assert cell.lstrip()[:1] not in "=+-@＝＋－＠" or not cell.strip(), (where, cell)


with open(f"{folder}/r.csv", encoding="utf-8", newline="") as file:
    check(list(csv.DictReader(file)), "python")

table = duckdb.read_csv(f"{folder}/r.csv", all_varchar=True, quotechar='"', escapechar='"')
rows = [dict(zip(table.columns, [cell or "" for cell in row])) for row in table.fetchall()]
check(rows, "duckdb")

table = pandas.read_csv(f"{folder}/r.csv", dtype=str, keep_default_na=False)
check(table.to_dict("records"), "pandas")

TYPES = {
    "group": pyarrow.string(),
    "occurrence": pyarrow.int64(),
    "value.id": pyarrow.string(),
    "partition": pyarrow.int32(),
    "offset": pyarrow.int64(),
    "timestamp": pyarrow.timestamp("ms", tz="UTC"),
    "identical": pyarrow.bool_(),
    "amount": pyarrow.decimal128(38, 18),
    "amount_text": pyarrow.string(),
    "line": pyarrow.int64(),
}


def check_columns(rows, where):
    assert len(rows) == len(expected), (where, len(rows), len(expected))
    for row, (group, record) in zip(rows, expected):
        assert row["group"] == group["id"], (where, row)
        assert row["value.id"] == key_of(group), (where, row)
        assert row["subject"] == record["subject"], (where, row)
        amount = record["amount"]
        assert row["amount_text"] == amount, (where, row)
        exact = decimal.Decimal(amount)
        assert row["amount"] == (exact if exact < 10**20 else None), (where, row)
        is_extra = record["occurrence"] > 1
        assert row["extra_amount_text"] == (amount if is_extra else None), (where, row)
        moment = datetime.datetime.fromisoformat(record["timestamp"])
        assert row["timestamp"] == moment, (where, row)
        assert row["offset"] is None and row["partition"] is None, (where, row)
        assert row["line"] == record["line"], (where, row)


table = pyarrow.parquet.read_table(f"{folder}/r.parquet")
for name, of in TYPES.items():
    assert table.schema.field(name).type == of, (name, table.schema.field(name))
assert table.schema.metadata[b"dupaudit.redaction"] == b"none", table.schema.metadata
check_columns(table.to_pylist(), "pyarrow")

duckdb.sql("SET TimeZone = 'UTC'")
table = duckdb.sql(f"SELECT * FROM '{folder}/r.parquet'")
types = dict(zip(table.columns, map(str, table.types)))
assert types["amount"] == "DECIMAL(38,18)", types
assert types["timestamp"] == "TIMESTAMP WITH TIME ZONE", types
check_columns([dict(zip(table.columns, row)) for row in table.fetchall()], "duckdb")
[(total,)] = duckdb.sql(f"SELECT sum(extra_amount) FROM '{folder}/r.parquet'").fetchall()
fits = [decimal.Decimal(record["amount"]) for _, record in expected if record["occurrence"] > 1]
assert total == sum(amount for amount in fits if amount < 10**20), total

table = pyarrow.parquet.read_table(f"{folder}/groups.parquet")
assert table.num_rows == len(report["groups"]), table.num_rows
assert table.schema.metadata[b"dupaudit.redaction"] == b"mask", table.schema.metadata
masked = table.column("value.id").to_pylist() + table.column("subject").to_pylist()
assert not {key_of(group) for group in report["groups"]} & set(masked), masked
table = duckdb.sql(f"SELECT sum(extra_records) FROM '{folder}/episodes.parquet'")
assert table.fetchall() == [(report["summary"]["extra_records"],)], table

book = openpyxl.load_workbook(f"{folder}/r.xlsx")
assert book.sheetnames == ["Summary", "Records", "Episodes", "Coverage"], book.sheetnames
sheet = book["Records"]
assert sheet.freeze_panes == "A2" and sheet.auto_filter.ref, sheet.freeze_panes
for each in book:
    for row in each.iter_rows():
        for cell in row:
            assert cell.data_type != "f", cell.value
names = [cell.value for cell in sheet[1]]
rows = [dict(zip(names, row)) for row in sheet.iter_rows(min_row=2, values_only=True)]
assert len(rows) == len(expected)


def unescaped(text):
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text or "")


for row, (group, record) in zip(rows, expected):
    assert row["group"] == group["id"]
    key = key_of(group)
    assert isinstance(row["value.id"], str), row
    if len(key) < 30000:
        assert unescaped(row["value.id"]) == key, (row["value.id"], key)
    else:
        assert row["value.id"].endswith("…") and key.startswith(row["value.id"][:-1])
    amount = record["amount"]
    if amount is None or len(amount.replace(".", "").lstrip("-0")) <= 15:
        assert row["amount"] == (amount and float(amount)), row
    else:
        assert row["amount"] == amount, row
    moment = datetime.datetime.fromisoformat(record["timestamp"]).replace(tzinfo=None)
    assert abs(row["timestamp"] - moment) < datetime.timedelta(milliseconds=1), row
print("opened", len(rows))
