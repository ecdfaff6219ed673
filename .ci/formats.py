"""What DuckDB makes of the real files under FORMATS.md's rules, beside what the importer does.

    formats.py real DATA              tells what DuckDB finds in DATA/focus
    formats.py real DATA BIN WORK     also imports each file with BIN into a lake in WORK, and compares
    formats.py examples BIN WORK      imports each example of tests/fixtures, and compares with what is expected

Amounts are decimals of 38 digits all the way, rounded half-even once; no double is anywhere.
"""

import csv
import decimal
import gzip
import json
import pathlib
import re
import shlex
import subprocess
import sys

import duckdb

# Texts to cells: FORMATS.md's three ways to write nothing.
CELL = "CASE WHEN trim({0}) IN ('', 'NULL', 'null') THEN NULL ELSE trim({0}) END"

# Each kind of file: how a row becomes usage. `aside` is the reason for which a row is no consumption.
FOCUS = {
    "subscription": """coalesce(nullif(lower(regexp_extract("SubAccountId", '^/subscriptions/([0-9a-fA-F-]{36})', 1)), ''), "SubAccountId")""",
    "day": "CAST(\"ChargePeriodStart\" AS TIMESTAMP)::DATE",
    "category": ["x_SkuMeterCategory", "ServiceName", "ServiceCategory"],
    "unit": "\"ConsumedUnit\"",
    "quantity": "\"ConsumedQuantity\"",
    "cost": "\"EffectiveCost\"",
    "aside": """CASE WHEN "ChargeCategory" <> 'Usage' THEN 'ChargeCategory=' || "ChargeCategory"
                     WHEN "ChargeClass" IS NOT NULL THEN 'ChargeClass=' || "ChargeClass"
                     WHEN "CommitmentDiscountStatus" = 'Unused' THEN 'CommitmentDiscountStatus=Unused' END""",
}
COST_EXPORT = {
    "subscription": "lower(\"SubscriptionId\")",
    "day": "strptime(\"Date\", '%m/%d/%Y')::DATE",
    "category": ["MeterCategory"],
    "unit": "\"UnitOfMeasure\"",
    "quantity": "\"Quantity\"",
    "cost": "\"Cost\"",
    "aside": "CASE WHEN \"ChargeType\" <> 'Usage' THEN 'ChargeType=' || \"ChargeType\" END",
}
FILES = {
    "focus_1_0_sample.csv": FOCUS,
    "azure_1_2_rows100.csv": FOCUS,
    "azure_1_3_rows100.csv": FOCUS,
    "EA_ActualCost_Small.csv": COST_EXPORT,
    "EA_AmortizedCost_Small.csv": COST_EXPORT,
}
COMMITMENTS = "azure_1_3_contract_commitment.csv"


def source(path):
    """The names of a file's columns, and the file as a table of texts with null for nothing."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        columns = next(csv.reader(file))
    cells = ", ".join(f"{CELL.format(chr(34) + column + chr(34))} AS \"{column}\"" for column in columns)
    return columns, f"(SELECT {cells} FROM read_csv('{path}', header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', nullstr = ''))"


def usage(path, rules, units):
    """A view of the rows: what each becomes, and why it does not."""
    columns, table = source(path)
    category = ", ".join(f"\"{column}\"" for column in rules["category"] if column in columns)
    duckdb.execute(f"""
        CREATE OR REPLACE TEMP VIEW rows AS
        WITH typed AS (
            SELECT {rules['aside']} AS aside, {rules['subscription']} AS subscription, {rules['day']} AS day,
                   coalesce({category}, 'unknown') AS category, {rules['unit']} AS unit,
                   {rules['quantity']}::DECIMAL(38, 18) AS quantity, {rules['cost']}::DECIMAL(38, 28) AS cost
            FROM {table})
        SELECT *, CASE WHEN aside IS NOT NULL THEN NULL
                       WHEN subscription IS NULL THEN 'no subscription'
                       WHEN quantity IS NULL THEN 'no quantity'
                       WHEN quantity < 0 THEN 'negative quantity' END AS refused
        FROM typed""")
    duckdb.execute(f"""
        CREATE OR REPLACE TEMP VIEW kept AS
        SELECT subscription, day, category, coalesce(u."DistinctUnits", unit, 'unknown') AS unit,
               quantity * coalesce(u."PricingBlockSize", 1)::DECIMAL(18, 0) AS quantity, cost
        FROM rows LEFT JOIN read_csv('{units}', header = true, types = {{'PricingBlockSize': 'BIGINT'}}) u ON u."UnitOfMeasure" = unit
        WHERE aside IS NULL AND refused IS NULL""")


def micros(amount, at_least=0):
    """Half-even, once."""
    if amount is None:
        return None
    whole = int(amount.scaleb(6).to_integral_value(decimal.ROUND_HALF_EVEN))
    return max(whole, at_least) if amount > 0 else whole


def found(path, rules, units):
    usage(path, rules, units)

    def one(query):
        return duckdb.execute(query).fetchall()[0]

    read, aside, refused = one("SELECT count(*), count(aside), count(refused) FROM rows")
    days = one("SELECT count(DISTINCT day), min(day), max(day) FROM kept")
    series = duckdb.execute("SELECT subscription, day, category, unit, sum(quantity), sum(cost) FROM kept GROUP BY ALL").fetchall()
    costs = duckdb.execute("SELECT subscription, day, category, sum(cost) FROM kept GROUP BY ALL").fetchall()
    return {
        "rows read": read, "rows kept": read - aside - refused, "rows set aside": aside, "rows refused": refused,
        "days": days[0], "first day": days[1], "last day": days[2],
        "subscriptions": one("SELECT count(DISTINCT subscription) FROM kept")[0],
        "categories": one("SELECT count(DISTINCT category) FROM kept")[0],
        "daily rows": len(series),
        "cost": one("SELECT sum(cost) FROM kept")[0],
        "set aside": duckdb.execute("SELECT aside, count(*) FROM rows WHERE aside IS NOT NULL GROUP BY ALL ORDER BY 1").fetchall(),
        "refused": duckdb.execute("SELECT refused, count(*) FROM rows WHERE refused IS NOT NULL GROUP BY ALL ORDER BY 1").fetchall(),
        "series": {(s, d, c, u): (micros(q, 1), micros(cost)) for s, d, c, u, q, cost in series},
        # Each daily row is rounded once; what several units of a category cost is the sum of them.
        "costs": {(s, d, c): cost for s, d, c, cost in costs},
    }


def stored(lake, table, version, columns):
    """The rows of a table's version, from the files that its log names."""
    files = {}
    log = lake / table / "_delta_log"
    for number in range(version + 1):
        for line in (log / f"{number:020}.json").read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = True
            if "remove" in action:
                files.pop(action["remove"]["path"])
    paths = [str(lake / table / path) for path in files]
    wanted = ", ".join(f'"{column}"' for column in columns)
    return duckdb.execute(f"SELECT {wanted} FROM read_parquet({paths}, union_by_name = true)").fetchall() if paths else []


def newest(lake):
    """The newest row of `imports`, by column."""
    versions = sorted((lake / "imports" / "_delta_log").glob("*.json"))
    columns = ["import_id", "rows_read", "rows_kept", "rows_refused", "table_versions"]
    return dict(zip(columns, max(stored(lake, "imports", len(versions) - 1, columns))))


def imported(binary, path, lake, flags):
    """Quirks may be more than ten rows: what is refused is compared, not limited."""
    command = [binary, "import", path, "--lake", lake, "--max-rejects", "1", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return newest(lake)


def differences(name, oracle, record, lake):
    """Sentences on what is not the same."""
    told = []

    def same(what, theirs, ours):
        if theirs != ours:
            told.append(f"{name}: {what}: DuckDB {theirs}, the lake {ours}")

    same("rows read", oracle["rows read"], record["rows_read"])
    same("rows kept", oracle["rows kept"], record["rows_kept"])
    same("rows refused", oracle["rows refused"], record["rows_refused"])
    same("rows set aside", oracle["rows set aside"], record["rows_read"] - record["rows_kept"] - record["rows_refused"])
    columns = ["subscription_id", "on", "category", "unit", "quantity_micros", "cost_micros"]
    rows = stored(lake, "usage_daily", json.loads(record["table_versions"])["usage_daily"], columns)
    ours = {(s, d, c, u): (q, cost) for s, d, c, u, q, cost in rows}
    same("daily rows", len(oracle["series"]), len(rows))
    same("days", sorted({key[1] for key in oracle["series"]}), sorted({key[1] for key in ours}))
    same("subscriptions", sorted({key[0] for key in oracle["series"]}), sorted({key[0] for key in ours}))
    for key in sorted(oracle["series"].keys() | ours.keys(), key=str):
        same(f"quantity and cost of {key}, in micro-units", oracle["series"].get(key), ours.get(key))
    # The totals that the issue names, from our rows by themselves: within a rounding a unit.
    totals, units = {}, {}
    for (s, d, c, _), (_, cost) in ours.items():
        totals[s, d, c] = totals.get((s, d, c), 0) + (cost or 0)
        units[s, d, c] = units.get((s, d, c), 0) + 1
    for key, cost in oracle["costs"].items():
        exact = (cost or decimal.Decimal(0)).scaleb(6)
        if abs(totals.get(key, 0) - exact) > units.get(key, 0) * decimal.Decimal("0.5"):
            told.append(f"{name}: cost of {key}: DuckDB {cost}, the lake {totals.get(key)} micro-units")
    return told


def commitments(path):
    _, table = source(path)
    return duckdb.execute(f"""
        SELECT "ContractCommitmentId",
               nullif(lower(regexp_extract("ContractCommitmentId", '^/subscriptions/([0-9a-fA-F-]{{36}})', 1)), ''),
               CASE lower("ContractCommitmentType") WHEN 'reservation' THEN 'reservation' WHEN 'savings plan' THEN 'savings_plan' ELSE 'term' END,
               "ContractCommitmentQuantity"::DECIMAL(38, 18),
               -- The end of a period is exclusive: at midnight the day before was the last.
               (CAST("ContractCommitmentPeriodEnd" AS TIMESTAMP) - INTERVAL 1 MICROSECOND)::DATE
        FROM {table} ORDER BY ALL""").fetchall()


def real(data, binary=None, work=None):
    folder, units = data / "focus", data / "azure_open_data" / "PricingUnits.csv"
    duckdb.execute("SET TimeZone = 'UTC'")
    told = []
    for name, rules in FILES.items():
        oracle = found(folder / name, rules, units)
        print(name)
        for what, value in oracle.items():
            if what not in ("series", "costs"):
                print(f"    {what:15}{', '.join(f'{reason} {rows}' for reason, rows in value) if isinstance(value, list) else value}")
        if binary:
            lake = work / re.sub(r"\W", "_", name)
            told += differences(name, oracle, imported(binary, folder / name, lake, ["--currency", "USD"]), lake)
    theirs = commitments(folder / COMMITMENTS)
    print(f"{COMMITMENTS}\n    commitments    {len(theirs)}")
    for kind in ("reservation", "savings_plan", "term"):
        print(f"    {kind:15}{sum(row[2] == kind for row in theirs)}")
    if binary:
        lake = work / "commitments"
        record = imported(binary, folder / COMMITMENTS, lake, [])
        columns = ["commitment_id", "subscription_id", "kind", "quantity_micros", "ends_on"]
        ours = sorted(stored(lake, "commitments", json.loads(record["table_versions"])["commitments"], columns))
        theirs = [(*row[:3], micros(row[3]), row[4]) for row in theirs]
        told += [f"{COMMITMENTS}: DuckDB {one}, the lake {other}" for one, other in zip(theirs, ours) if one != other]
        if len(theirs) != len(ours):
            told.append(f"{COMMITMENTS}: DuckDB {len(theirs)} rows, the lake {len(ours)}")
        if told:
            sys.exit("\n".join([f"{len(told)} differences", *told[:40]]))
        print("the lake holds what DuckDB finds, to the last micro-unit")


# ------------------------------------------------------------------ the examples

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"


def plain(micros_):
    """Micro-units as a decimal without trailing zeros."""
    text = format(decimal.Decimal(micros_).scaleb(-6), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def told_by(column, value):
    """A stored value as the expected files write it."""
    if value is None:
        return "false" if column == "observed" else ""
    if column in ("quantity", "cost"):
        return plain(value)
    return str(value).lower() if isinstance(value, bool) else str(value)[:7] if column == "month" else str(value)


def table_of(lake, record, table, columns):
    versions = json.loads(record["table_versions"])
    if table not in versions:
        return []
    stored_as = [f"{column}_micros" if column in ("quantity", "cost") else column for column in columns]
    rows = stored(lake, table, versions[table], stored_as)
    return sorted([told_by(column, value) for column, value in zip(columns, row)] for row in rows)


def refused_of(lake, record):
    """The rejects file of an import. The reason is a sentence there and a kind in the examples, so it is left out; the items
    of a JSON document have no line."""
    files = (lake / "rejects").glob(f"*{record['import_id']:08}.csv")
    return sorted(rejected(row) for file in files for row in csv.DictReader(file.open(encoding="utf-8", newline="")))


def rejected(row):
    name = pathlib.Path(row["file"]).name
    return [name, "" if name.endswith(".json") else row["line"], row["column"].lower(), row["value"]]


def example(binary, name, source, lake, same_file=True):
    """Differences between a lake into which `source` was imported and the expected tables. In another form than that of the
    example a file has another name and other lines, and may lack what is refused."""
    folder = EXAMPLES / name
    record = imported(binary, source, lake, shlex.split((folder / "flags").read_text()))
    told = []
    for path in sorted((folder / "expected").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            columns, *expected = csv.reader(file)
        if path.stem == "missing" or path.stem in ("rejects", "set_aside") and not same_file:
            continue
        if path.stem == "rejects":
            expected, ours = sorted(rejected(dict(zip(columns, row))) for row in expected), refused_of(lake, record)
        elif path.stem == "set_aside":
            expected = [[sum(int(row[1]) for row in expected)]]
            ours = [[record["rows_read"] - record["rows_kept"] - record["rows_refused"]]]
        else:
            ours = table_of(lake, record, path.stem, columns)
        told += [f"{name}: {path.stem}: expected and not there: {row}" for row in expected if row not in ours]
        told += [f"{name}: {path.stem}: there and not expected: {row}" for row in ours if row not in expected]
    return told


# Columns that Parquet exports have as numbers and times.
TYPES = {"Cost": "DECIMAL(38, 18)", "CostInUsd": "DECIMAL(38, 18)", "Quantity": "DECIMAL(38, 18)", "PeriodStart": "TIMESTAMP", "PeriodEnd": "TIMESTAMP"}


def other_forms(name, work):
    """The same rows as partners also have them: packed, as Parquet of texts, and, where the header is FOCUS's, of types."""
    inputs = sorted((EXAMPLES / name / "input").iterdir())
    if len(inputs) != 1 or inputs[0].suffix not in (".csv", ".tsv"):
        return
    path = inputs[0]
    packed = work / f"{name}-packed" / f"{path.name}.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(path.read_bytes()))
    yield packed
    delimiter = "\t" if path.suffix == ".tsv" else ","
    read = f"read_csv('{path}', header = true, all_varchar = true, delim = '{delimiter}', quote = '\"', escape = '\"', nullstr = '')"
    texts = work / f"{name}-texts.parquet"
    duckdb.execute(f"COPY (SELECT * FROM {read}) TO '{texts}' (FORMAT parquet)")
    yield texts
    if name.startswith("focus"):
        columns = [row[0] for row in duckdb.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
        cells = {column: CELL.format(f'"{column}"') for column in columns}
        kinds = {column: next((kind for end, kind in TYPES.items() if column.lower().endswith(end.lower())), "VARCHAR") for column in columns}
        typed = ", ".join(f'TRY_CAST({cells[column]} AS {kinds[column]}) AS "{column}"' for column in columns)
        sound = " AND ".join(f"({cells[column]} IS NULL OR TRY_CAST({cells[column]} AS {kinds[column]}) IS NOT NULL)" for column in columns)
        types = work / f"{name}-types.parquet"
        duckdb.execute(f"COPY (SELECT {typed} FROM {read} WHERE {sound}) TO '{types}' (FORMAT parquet)")
        yield types


def examples(binary, work):
    told, imports = [], 0
    names = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
    for name in names:
        before = EXAMPLES / name / "before"
        lake = work / f"example-{name}"
        try:
            if before.exists():
                earlier = before.read_text().strip()
                example(binary, earlier, EXAMPLES / earlier / "input", lake)
            told += example(binary, name, EXAMPLES / name / "input", lake)
            for form in other_forms(name, work):
                told += [f"{form.name}: {one}" for one in example(binary, name, form, work / f"lake-of-{name}-{form.name}", same_file=False)]
                imports += 1
            imports += 1
        except (RuntimeError, duckdb.Error) as error:
            told.append(f"{name}: {error}")
    if told:
        sys.exit("\n".join([f"{len(told)} differences", *told]))
    print(f"{len(names)} examples are imported as expected, in {imports} forms")


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    {"real": real, "examples": examples}[command](*map(pathlib.Path, words))
