"""For every operator rule a small model: the group has the order that was worked out by hand, and its members compute
the same.

What ONNX Runtime cannot run is judged spelled out with other operators: the parameters of a sample are put into the
spelled-out model in the places of the original ones.
"""

import functools
import sys

import onnx

from catalogue import BUILD, Model
from equivalence import Bench, members
from harness import JUDGE, LARGEST_DIFFERENCE, ROOT, check, run_json, scratch

sys.path.insert(0, str(ROOT / "tests/models"))

import make  # noqa: E402
import operator_models as models  # noqa: E402

TOLERANCE = 1e-6  # of log10 of the order


@functools.cache
def made(name, **options):
    suffix = ".spelled" if options else ""
    path = BUILD / "models/operators" / f"{name}{suffix}.onnx"
    digest = make.recipe("operator_models.py", "builder.py", "hand_made.py")
    make.make_one(path, digest, lambda where: models.build(name, where, **options))
    return path


def cases():
    for name, (_, order) in models.MODELS.items():
        model = Model("operators", name, made(name), order, models.NOT_RUNNABLE.get(name, ""))
        with scratch(6 * model.size) as folder:
            bench = (SpelledBench if model.not_runnable else Bench)(model, folder)
            yield f"{name}/order", lambda m=model: has_order(m)
            yield f"{name}/canon-computes-the-same", bench.canon_computes_the_same
            yield f"{name}/canon-twice", bench.canon_twice
            yield from members(name, bench, valid=False)


def has_order(model):
    order = run_json("symmetry", model.path)["log10_order"]
    check(abs(order - model.order) < TOLERANCE, f"log10 of the order is {order}, expected {model.order}")


class SpelledBench(Bench):
    """The judge runs the model spelled out, with its own parameters and with those of the other."""

    def runs(self):
        return True

    def canon_computes_the_same(self):
        """The canonical form renames and merges parameters: it has to be that of a sample, which was judged."""
        self.sample_computes_the_same(1, "permute")
        self.sample_has_the_same_canon(1, "permute")
        self.forget_sample()

    def judge(self, other, limit=LARGEST_DIFFERENCE):
        spelled = made(self.model.name, spelled=True)
        moved = onnx.load(str(spelled))
        parameters = {tensor.name: tensor for tensor in onnx.load(str(other)).graph.initializer}
        own = {tensor.name for tensor in onnx.load(str(self.model.path)).graph.initializer}
        for tensor in moved.graph.initializer:
            if tensor.name in own:
                check(list(tensor.dims) == list(parameters[tensor.name].dims), f"{tensor.name} has another shape")
                tensor.CopyFrom(parameters[tensor.name])
        path = self.folder / "moved_spelled.onnx"
        path.write_bytes(moved.SerializeToString())
        JUDGE.compare(spelled, path, self.model.inputs(), limit=limit)
