#!/usr/bin/python3
"""Runs the end-to-end tests: the built program on real models, with independent judges.

    run.py [--list] [--json FILE] [FILTER...]

A test's name is MODULE/.../WHAT; with filters, the tests whose name contains any of them run (or, for a filter that
starts with !, does not contain it). Prints every failure, why tests could not run, a line per module, and ends with
"N passed, M failed"; FILE gets every result as JSON. The program is $CANONNX (default build/release/cli/canonnx), its
build with sanitizers $CANONNX_DEV (default build/dev/cli/canonnx), its build by clang $CANONNX_CLANG (default
build/clang/cli/canonnx).
"""

import argparse
import collections
import concurrent.futures
import importlib
import json
import os
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # tests run side by side; threads for small matrices only wait

import catalogue  # noqa: E402
from harness import CLANG_TOOL, JUDGE, SANITIZED_TOOL, TOOL, CannotRun, Failure  # noqa: E402

# The two that take longest first: modules are shared out between worker processes.
MODULES = ("soundness", "equivalence", "groups", "round_trip", "bad_input", "judge_itself", "orders", "conformance", "storage",
           "disguise", "agreement", "determinism", "bounds", "contents", "operators", "completeness", "dimension", "shapes",
           "shapes_run", "hashes", "hard", "changes", "scalings", "dying_units", "names", "rounding", "text_syntax",
           "text_lines", "text_git", "explanations", "diff", "optimised")
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


def run_module(name, filters):
    """All results of one module: a list of {name, verdict, text, seconds}."""
    results = []
    try:
        for case, function in importlib.import_module(name).cases():
            full_name = f"{name}/{case}"
            if not selected(full_name, filters):
                continue
            started = time.time()
            verdict, text = run_case(function)
            results.append({"name": full_name, "verdict": verdict, "text": text,
                            "seconds": round(time.time() - started, 3)})
    except (Failure, CannotRun) as trouble:  # while listing the cases
        results.append({"name": name, "verdict": "failed", "text": str(trouble), "seconds": 0})
    finally:
        JUDGE.close()
    return results


def show(module, results, seconds, verbose):
    """Failures in full, what could not run by reason, and one line for the module."""
    shown = [r for r in results if verbose or r["verdict"] == "failed"]
    for result in shown if verbose else shown[:SHOWN]:
        text = f": {result['text'][:1000]}" if result["text"] else ""
        print(f"  {result['verdict']:9} {result['name']} ({result['seconds']:.1f} s){text}")
    if len(shown) > SHOWN and not verbose:
        print(f"  ... and {len(shown) - SHOWN} more of {module}; --verbose shows all")
    reasons = collections.Counter(r["text"] for r in results if r["verdict"] == "could not run")
    for reason, count in reasons.most_common():
        print(f"  {count} could not run: {reason}")
    good = sum(result["verdict"] == "passed" for result in results)
    print(f"{module:14} {good:5} of {len(results)} passed in {seconds:.0f} s", flush=True)


def timed(module, filters):
    started = time.time()
    return run_module(module, filters), time.time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all results there")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count()), help="processes (default: %(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every test")
    options = parser.parse_args()

    catalogue.made()  # before there are several processes that want them
    wanted = {}
    for module in MODULES:
        names = [f"{module}/{case}" for case, _ in importlib.import_module(module).cases()]
        wanted[module] = [name for name in names if selected(name, options.filters)]
    if options.list:
        print("\n".join(name for names in wanted.values() for name in names))
        return 0
    for tool in (TOOL, SANITIZED_TOOL, CLANG_TOOL):
        if not tool.exists():
            sys.exit(f"run.py: {tool} is not built")

    results = []
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as workers:
        running = {workers.submit(timed, name, options.filters): name for name in MODULES if wanted[name]}
        for done in concurrent.futures.as_completed(running):
            of_module, seconds = done.result()
            show(running[done], of_module, seconds, options.verbose)
            results += of_module
    verdicts = [result["verdict"] for result in results]
    counts = {verdict: verdicts.count(verdict) for verdict in ("passed", "failed", "could not run")}
    if options.json:
        options.json.write_text(json.dumps({"counts": counts, "results": results}, indent=1) + "\n")
    if counts["could not run"]:
        print(f"{counts['could not run']} could not run, for the reasons given above")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not results else 0


if __name__ == "__main__":
    sys.exit(main())
