"""Opens the reports of one scan with other people's libraries: nothing is lost, nothing runs."""
import csv
import datetime
import json
import re
import sys

import duckdb
import openpyxl

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
