"""What a user would write in another tool: `peers.py TOOL WORK FILE [MORE]` prints the groups."""

import json
import sys

tool, work, file, *more = sys.argv[1:]

DUCK_SOURCES = {
    "jsonl": "read_json('{file}', format='newline_delimited', columns={{charge_id:'VARCHAR'}})",
    "csv": "read_csv('{file}', header=true)",
    "csv-quoted": "read_csv('{file}', header=true)",
    "keys": "read_csv('{file}', header=true)",
    "parquet": "read_parquet('{file}')",
    "kcat": "(SELECT payload->>'charge_id' AS charge_id FROM read_json('{file}', "
            "format='newline_delimited', columns={{payload:'VARCHAR'}}))",
}


def duckdb():
    import duckdb as db
    if work == "to-parquet":
        db.sql(f"COPY (FROM read_json('{file}', format='newline_delimited')) TO '{more[0]}'")
        return None
    if work == "jsonl-full":
        db.sql(f"""COPY (
            SELECT charge_id, count(*), min(created_at), max(created_at),
                   sum(amount) - arg_min(amount, created_at)
            FROM read_json('{file}', format='newline_delimited', columns={{charge_id:'VARCHAR',
                           created_at:'TIMESTAMP', amount:'DECIMAL(18,2)'}})
            GROUP BY charge_id HAVING count(*) > 1) TO '{file}.duckdb.csv'""")
        with open(f"{file}.duckdb.csv") as rows:
            return sum(1 for _ in rows) - 1
    key = "charge_id"
    if work == "keys":
        key = "id"
        db.sql(f"SET memory_limit='{more[0]}'; SET temp_directory='{file}.tmp'")
    source = DUCK_SOURCES[work].format(file=file)
    return db.sql(f"""SELECT count(*) FROM (
        SELECT {key} FROM {source} GROUP BY {key} HAVING count(*) > 1)""").fetchall()[0][0]


def polars():
    import polars as pl
    readers = {"jsonl": pl.scan_ndjson, "csv": pl.scan_csv, "csv-quoted": pl.scan_csv,
               "parquet": pl.scan_parquet}
    frame = readers[work](file).select("charge_id").group_by("charge_id").len()
    return frame.filter(pl.col("len") > 1).select(pl.len()).collect(engine="streaming").item()


def clickhouse():
    import chdb
    sources = {
        "jsonl": ("JSONEachRow", "charge_id String", "charge_id"),
        "csv": ("CSVWithNames", "", "charge_id"),
        "csv-quoted": ("CSVWithNames", "", "charge_id"),
        "parquet": ("Parquet", "", "charge_id"),
        "kcat": ("JSONEachRow", "payload String", "JSONExtractString(payload, 'charge_id')"),
    }
    kind, structure, key = sources[work]
    structure = f", '{structure}'" if structure else ""
    answer = chdb.query(f"""SELECT count() FROM (
        SELECT {key} AS k FROM file('{file}', {kind}{structure})
        GROUP BY k HAVING count() > 1)""", "CSV")
    return int(str(answer).strip())


groups = {"duckdb": duckdb, "polars": polars, "clickhouse": clickhouse}[tool]()
if groups is not None:
    print(json.dumps({"groups": groups}))
