#!/usr/bin/python3
"""Runs the end-to-end tests: the built program on real models, with independent judges.

    run.py [--list] [--json FILE] [FILTER...]

A test's name is MODULE/.../WHAT; with filters, the tests whose name contains any of them run (or, for a filter that
starts with !, does not contain it). Prints a line per test that fails or cannot run, a line per module, and ends with
"N passed, M failed"; FILE gets the same as JSON. The program is $CANONNX (default build/release/cli/canonnx), its
build with sanitizers $CANONNX_DEV (default build/dev/cli/canonnx).
"""

import argparse
import importlib
import json
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import JUDGE, SANITIZED_TOOL, TOOL, CannotRun, Failure  # noqa: E402

MODULES = ("bad_input", "storage", "round_trip", "orders", "bounds", "determinism", "disguise", "judge_itself",
           "equivalence")
SHOWN = 40  # troubles of one module that are printed in full


def selected(name, filters):
    wanted = [f for f in filters if not f.startswith("!")]
    unwanted = [f[1:] for f in filters if f.startswith("!")]
    return (not wanted or any(f in name for f in wanted)) and not any(f in name for f in unwanted)


def run_case(function):
    """(verdict, text): passed, failed with the complaint, or could not run with the reason."""
    try:
        function()
    except CannotRun as reason:
        return "could not run", str(reason)
    except Failure as complaint:
        return "failed", str(complaint)
    except Exception:  # a test that breaks has failed, and the others still run
        return "failed", traceback.format_exc(limit=-3).strip().replace("\n", "\n      ")
    return "passed", ""


def run_module(name, filters, verbose):
    """All results of one module: a list of {name, verdict, text, seconds}."""
    results, troubles = [], 0
    try:
        for case, function in importlib.import_module(name).cases():
            full_name = f"{name}/{case}"
            if not selected(full_name, filters):
                continue
            started = time.time()
            verdict, text = run_case(function)
            seconds = time.time() - started
            results.append({"name": full_name, "verdict": verdict, "text": text, "seconds": round(seconds, 3)})
            troubles += verdict != "passed"
            if verbose or verdict != "passed" and troubles <= SHOWN:
                print(f"  {verdict:13} {full_name} ({seconds:.1f} s){': ' + text[:1000] if text else ''}", flush=True)
    except (Failure, CannotRun) as trouble:
        results.append({"name": name, "verdict": "failed", "text": str(trouble), "seconds": 0})
        print(f"  failed        {name}: {trouble}", flush=True)
    if troubles > SHOWN and not verbose:
        print(f"  ... and {troubles - SHOWN} more of {name}; --verbose shows all")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all results there")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every test")
    options = parser.parse_args()

    if options.list:
        for module in MODULES:
            for case, _ in importlib.import_module(module).cases():
                if selected(f"{module}/{case}", options.filters):
                    print(f"{module}/{case}")
        return 0
    for tool in (TOOL, SANITIZED_TOOL):
        if not tool.exists():
            sys.exit(f"run.py: {tool} is not built")

    results = []
    try:
        for module in MODULES:
            started = time.time()
            of_module = run_module(module, options.filters, options.verbose)
            results += of_module
            if of_module:
                good = sum(result["verdict"] == "passed" for result in of_module)
                print(f"{module:14} {good:5} of {len(of_module)} passed in {time.time() - started:.0f} s", flush=True)
    finally:
        JUDGE.close()
    counts = {verdict: sum(r["verdict"] == verdict for r in results) for verdict in ("passed", "failed", "could not run")}
    if options.json:
        options.json.write_text(json.dumps({"counts": counts, "results": results}, indent=1) + "\n")
    if counts["could not run"]:
        print(f"{counts['could not run']} could not run, for the reasons given above")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not results else 0


if __name__ == "__main__":
    sys.exit(main())
