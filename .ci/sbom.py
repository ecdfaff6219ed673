"""The bill of materials of the two programs: CycloneDX 1.6, from what cargo tells of the tree.

  sbom.py METADATA LOCK SECONDS LIBRARY > churn-risk.cdx.json

METADATA is what `cargo metadata --format-version 1` printed for one platform, LOCK is Cargo.lock, SECONDS
the time of the tree since 1970, LIBRARY the README of the drawing library, which no Cargo.lock knows of.

In it: each crate that is in a program (scope `required`), and each that only helps to build one (build
scripts and macros: scope `excluded`), with its licence, the SHA-256 of its archive, and what it needs. Not in
it: what only tests and benches need, crates of other platforms, Rust's own standard library. The same tree
gives the same bytes.

Exit code 1, with a line for each, where a crate names no licence, only GPL's (LGPL and AGPL too), comes
from elsewhere than crates.io, or has no checksum.
"""

import datetime
import hashlib
import json
import pathlib
import re
import sys
import tomllib
import urllib.parse
import uuid

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


class NoLicence(Exception):
    pass


def expression(licence):
    """A licence as SPDX writes it; crates of before wrote `/` for OR.

    >>> expression("MIT/Apache-2.0"), expression("(MIT OR  Zlib) AND ISC")
    ('MIT OR Apache-2.0', '(MIT OR Zlib) AND ISC')
    """
    return re.sub(r"\s+", " ", licence.replace("/", " OR ")).strip()


def is_free_of_gpl(licence):
    """Whether one may choose licences none of which is of GPL's family.

    >>> [is_free_of_gpl(one) for one in ("MIT", "MIT OR GPL-3.0-only", "Apache-2.0 WITH LLVM-exception AND (LGPL-2.1-only OR ISC)")]
    [True, True, True]
    >>> [is_free_of_gpl(one) for one in ("GPL-3.0-only", "MIT AND LGPL-2.1-or-later", "GPL-2.0-only WITH Classpath-exception-2.0", "AGPL-3.0+")]
    [False, False, False, False]
    >>> [is_free_of_gpl(one) for one in ("MIT OR Apache-2.0 AND GPL-2.0", "(MIT OR Apache-2.0) AND GPL-2.0", "gpl-3.0")]
    [True, False, False]
    >>> is_free_of_gpl("MIT OR")
    Traceback (most recent call last):
    sbom.NoLicence: `MIT OR` is no licence expression
    """
    words = re.findall(r"[()]|[^\s()]+", licence)
    place = 0

    def at():
        return words[place] if place < len(words) else None

    def take(*wanted):
        nonlocal place
        word = at()
        if word is None or wanted and word not in wanted or not wanted and not re.fullmatch(r"(?!(AND|OR|WITH)$)[\w.:+-]+", word):
            raise NoLicence(f"`{licence}` is no licence expression")
        place += 1
        return word

    def one():
        if at() == "(":
            take("(")
            inner = either()
            take(")")
            return inner
        name = take()
        if at() == "WITH":
            take("WITH")
            take()
        return not re.match(r"(A|L)?GPL", name, re.IGNORECASE)

    def both():
        verdict = one()
        while at() == "AND":
            take("AND")
            verdict = one() and verdict
        return verdict

    def either():
        verdict = both()
        while at() == "OR":
            take("OR")
            verdict = both() or verdict
        return verdict

    verdict = either()
    if at() is not None:
        raise NoLicence(f"`{licence}` is no licence expression")
    return verdict


def purl(package):
    """
    >>> purl({"name": "zstd-sys", "version": "2.0.16+zstd.1.5.7"})
    'pkg:cargo/zstd-sys@2.0.16%2Bzstd.1.5.7'
    """
    return f"pkg:cargo/{package['name']}@{urllib.parse.quote(package['version'], safe='')}"


class Tree:
    """The crates that building the root takes, and which of them are in what is built."""

    def __init__(self, metadata):
        packages = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        self.root = packages[metadata["resolve"]["root"]]

        def needs(name, kinds):
            return {its["pkg"] for its in nodes[name]["deps"] if any(kind["kind"] in kinds for kind in its["dep_kinds"])}

        def is_macro(name):
            return any("proc-macro" in target["kind"] for target in packages[name]["targets"])

        def reached(kinds, goes_on):
            seen, left = set(), [self.root["id"]]
            while left:
                for name in needs(left.pop(), kinds):
                    if name not in seen and goes_on(name):
                        seen.add(name)
                        left.append(name)
            return seen

        # Cargo writes null for a dependency that is neither of tests nor of a build script.
        built = reached((None, "build"), lambda name: True)
        self.inside = reached((None,), lambda name: not is_macro(name))
        self.crates = sorted((packages[name] for name in built), key=lambda its: (its["name"], its["version"]))
        self.needs = {name: sorted(purl(packages[its]) for its in needs(name, (None, "build"))) for name in built | {self.root["id"]}}


def fault(package, checksum):
    """What forbids a crate, or nothing."""
    if package["source"] != CRATES_IO:
        return f"comes from {package['source'] or 'a folder'}, not from crates.io"
    if checksum is None:
        return "has no checksum in Cargo.lock"
    if not package["license"]:
        return "names no licence"
    try:
        return None if is_free_of_gpl(expression(package["license"])) else f"is under {package['license']}"
    except NoLicence as error:
        return str(error)


def drawing_library(text):
    """plotly.js lies in the tree itself: its name, version, licence and checksum stand in its README."""
    told = re.search(r"npm package `([\w.-]+)` ([\d.]+), ([\w.-]+), .*?\n\s+([0-9a-f]{64})\n", text, re.DOTALL)
    if told is None:
        sys.exit("the README of the drawing library does not say its package, version, licence and SHA-256")
    name, version, licence, checksum = told.groups()
    return component(f"pkg:npm/{name}@{version}", name, version, licence, checksum, "required")


def component(reference, name, version, licence, checksum, scope):
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "scope": scope,
        "hashes": [{"alg": "SHA-256", "content": checksum}],
        "licenses": [{"expression": licence}],
        "purl": reference,
    }


def document(tree, checksums, seconds, library):
    root = tree.root
    # It is no crate of crates.io, where somebody else may take the name.
    reference = f"pkg:generic/{root['name']}@{root['version']}"
    programs = sorted(target["name"] for target in root["targets"] if target["kind"] == ["bin"])
    crates = [
        component(
            purl(its), its["name"], its["version"], expression(its["license"]), checksums[its["name"], its["version"]],
            "required" if its["id"] in tree.inside else "excluded",
        )
        for its in tree.crates
    ]  # fmt: skip
    edges = [{"ref": reference, "dependsOn": sorted([*tree.needs[root["id"]], library["bom-ref"]])}]
    edges += [{"ref": purl(its), "dependsOn": tree.needs[its["id"]]} for its in tree.crates]
    edges.append({"ref": library["bom-ref"], "dependsOn": []})
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(),
            "lifecycles": [{"phase": "pre-build"}],
            "tools": {"components": [{"type": "application", "name": ".ci/sbom.py"}]},
            "component": {
                "type": "application",
                "bom-ref": reference,
                "name": root["name"],
                "version": root["version"],
                "description": root["description"],
                "licenses": [{"expression": expression(root["license"])}],
                "purl": reference,
                "components": [
                    {"type": "application", "bom-ref": f"{reference}#{name}", "name": name, "version": root["version"]} for name in programs
                ],
            },
        },
        "components": [*crates, library],
        "dependencies": edges,
    }
    # A name of these very bytes, so that the same tree has the same number.
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(json.dumps(bom).encode()).hexdigest()).urn
    return bom


def main(metadata, lock, seconds, library):
    tree = Tree(json.loads(pathlib.Path(metadata).read_text()))
    packages = tomllib.loads(pathlib.Path(lock).read_text())["package"]
    checksums = {(its["name"], its["version"]): its.get("checksum") for its in packages}
    faults = [(its, fault(its, checksums.get((its["name"], its["version"])))) for its in tree.crates]
    told = [f"{its['name']} {its['version']} {what}" for its, what in faults if what]
    if told:
        print(*told, sep="\n", file=sys.stderr)
        return 1
    json.dump(document(tree, checksums, int(seconds), drawing_library(pathlib.Path(library).read_text())), sys.stdout, indent=1)
    print()
    inside = sum(its["id"] in tree.inside for its in tree.crates)
    print(f"{inside} crates in the programs, {len(tree.crates) - inside} more to build them", file=sys.stderr)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
