/* Every row of rewrite/passes.def: what it does, and what it must leave alone. */
#include "rewrite_text.h"

#define UNCHANGED(passes, text) check_passes(passes, text, text)

static void constants(void **state)
{
    (void)state;
    check_passes("constants", "in x\nc = Constant() value_float=2.0\ny = Mul(x, c)\nout y\n",
                 "in x\nc = float[]{2}\ny = Mul(x, c)\nout y\n");
    check_passes("constants", "in x\nc = Constant() value_ints=[3 4]\ny = Reshape(x, c)\nout y\n",
                 "in x\nc = int64[2]{3 4}\ny = Reshape(x, c)\nout y\n");
    check_passes("constants", "in x\ny = Constant() value_int=7\nz = Relu(x)\nout y, z\n",
                 "in x\ny = int64[]{7}\nz = Relu(x)\nout y, z\n");
    check_passes(
        "constants",
        "in c\ny = If(c) else_branch={a = Constant() value_float=1.0; out a} "
        "then_branch={b = Constant() value_float=2.0; out b}\nout y\n",
        "in c\ny = If(c) else_branch={a = float[]{1}; out a} then_branch={b = float[]{2}; out b}\nout y\n");
}

static void identities(void **state)
{
    (void)state;
    const char *relu = "in x\ny = Relu(x)\nout y\n";
    check_passes("identities", "in x\na = Identity(x)\nb = Identity(a)\ny = Relu(b)\nout y\n", relu);
    check_passes("identities", "in x\na = Relu(x)\ny = Identity(a)\nout y\n", relu);
    check_passes("identities", "in x\na = Dropout(x)\ny = Relu(a)\nout y\n", relu);
    check_passes("identities", "opset 6\nin x\na = Dropout(x) is_test=1\ny = Relu(a)\nout y\n", relu);
    check_passes("identities", "in x\na = Concat(x) axis=0\nb = Max(a)\ny = Relu(b)\nout y\n", relu);
    check_passes("identities,dead",
                 "in x\nr = float[]{0.5}\nf = bool[]{0}\na = Dropout(x, r, f)\ny = Relu(a)\nout y\n", relu);
    UNCHANGED("identities", "in x\na, m = Dropout(x)\ny = Relu(a)\nout y, m\n");
    UNCHANGED("identities", "in x, t\na = Dropout(x, _, t)\ny = Relu(a)\nout y\n");
    UNCHANGED("identities", "in x\nt = bool[]{1}\na = Dropout(x, _, t)\ny = Relu(a)\nout y\n");
    UNCHANGED("identities", "in x\na = custom.Identity(x)\ny = Relu(a)\nout y\n");
    check_passes("identities", "opset 6\nin x\na = Dropout(x) is_test=0\ny = Relu(a)\nout y\n",
                 "in x\na = Dropout(x) is_test=0\ny = Relu(a)\nout y\n");
}

/* Interface names stay where they are, whoever makes the value. */
static void identities_at_the_interface(void **state)
{
    (void)state;
    UNCHANGED("identities", "in x\ny = Identity(x)\nout y\n");
    check_passes("identities", "in x\ny = Dropout(x)\nout y\n", "in x\ny = Identity(x)\nout y\n");
    check_passes("identities", "in x\na = Identity(x)\ny = Identity(a)\nz = Identity(y)\nout y, z\n",
                 "in x\ny = Identity(x)\nz = Identity(x)\nout y, z\n");
    UNCHANGED("identities", "in x\ny = Relu(x)\nz = Identity(y)\nout y, z\n");
    check_passes("identities", "in x\ny = Relu(x)\nz = Identity(y)\nw = Tanh(z)\nout z, y, w\n",
                 "in x\nz = Relu(x)\ny = Identity(z)\nw = Tanh(z)\nout z, y, w\n");
    check_passes("identities",
                 "in x\na = Relu(x)\ny = Identity(a)\nz = Identity(a)\nw = Tanh(a)\nout z, y, w\n",
                 "in x\nz = Relu(x)\ny = Identity(z)\nw = Tanh(z)\nout z, y, w\n");
    check_passes("identities", "w = float[1]{3}\ny = Identity(w)\nz = Identity(w)\nout y, z\n",
                 "w = float[1]{3}\ny = float[1]{3}\nz = float[1]{3}\nout y, z\n");
    UNCHANGED("identities", "in w\nw = float[1]{3}\ny = Identity(w)\nout y\n");
}

static void identities_and_nested_graphs(void **state)
{
    (void)state;
    check_passes(
        "identities",
        "in c, x\na = Relu(x)\nb = Identity(a)\n"
        "y = If(c) else_branch={d = Add(a, b); out d} then_branch={e = Identity(b); f = Relu(e); out f}\n"
        "out y\n",
        "in c, x\na = Relu(x)\n"
        "y = If(c) else_branch={d = Add(a, a); out d} then_branch={f = Relu(a); out f}\nout y\n");
    /* A value from outside cannot be an output of the body: ONNX Runtime wants a node there. */
    check_passes("identities",
                 "in c, x\ny = If(c) else_branch={d = Identity(x); out d} then_branch={e = Dropout(x); out "
                 "e}\nout y\n",
                 "in c, x\ny = If(c) else_branch={d = Identity(x); out d} then_branch={e = Identity(x); out "
                 "e}\nout y\n");
    /* The producer takes the output's name; the capture follows. */
    check_passes("identities",
                 "in c, x\na = Relu(x)\ny = Identity(a)\n"
                 "z = If(c) else_branch={d = Relu(a); out d} then_branch={e = Relu(y); out e}\nout y, z\n",
                 "in c, x\ny = Relu(x)\n"
                 "z = If(c) else_branch={d = Relu(y); out d} then_branch={e = Relu(y); out e}\nout y, z\n");
}

static void hoisting(void **state)
{
    (void)state;
    /* From any depth to the main graph; outputs of bodies stay. */
    check_passes("hoist",
                 "in c, x\ny = If(c) else_branch={w = float[1]{3}; d = Add(x, w); out d} "
                 "then_branch={e = If(c) else_branch={u = float[1]{5}; f = Mul(x, u); out f} "
                 "then_branch={g = float[1]{7}; out g}; out e}\nout y\n",
                 "in c, x\nu = float[1]{5}\nw = float[1]{3}\ny = If(c) else_branch={d = Add(x, w); out d} "
                 "then_branch={e = If(c) else_branch={f = Mul(x, u); out f} "
                 "then_branch={g = float[1]{7}; out g}; out e}\nout y\n");
    UNCHANGED("hoist", "in c, x\nw = float[1]{3}\ny = If(c) else_branch={d = Add(x, w); out d} "
                       "then_branch={e = Relu(x); out e}\nout y\n");
}

static void transposes(void **state)
{
    (void)state;
    const char *relu = "in x\ny = Relu(x)\nout y\n";
    check_passes("transposes,dead",
                 "in x\na = Transpose(x) perm=[1 2 0]\nb = Transpose(a) perm=[2 0 1]\ny = Relu(b)\nout y\n",
                 relu);
    check_passes("transposes,dead", "in x\na = Transpose(x)\nb = Transpose(a)\ny = Relu(b)\nout y\n", relu);
    check_passes("transposes,dead", "in x\na = Transpose(x) perm=[0 1]\ny = Relu(a)\nout y\n", relu);
    check_passes("transposes,dead",
                 "in x\na = Transpose(x) perm=[1 2 0]\ny = Transpose(a) perm=[1 2 0]\nout y\n",
                 "in x\ny = Transpose(x) perm=[2 0 1]\nout y\n");
    check_passes("transposes,dead", "in x\na = Transpose(x)\ny = Transpose(a) perm=[1 2 0]\nout y\n",
                 "in x\ny = Transpose(x) perm=[1 0 2]\nout y\n");
    check_passes("transposes,dead",
                 "in x\na = Transpose(x) perm=[1 2 0]\nb = Relu(a)\nc = Transpose(a) perm=[1 2 0]\n"
                 "y = Transpose(c) perm=[1 2 0]\nout y, b\n",
                 "in x\na = Transpose(x) perm=[1 2 0]\nb = Relu(a)\ny = Identity(x)\nout y, b\n");
}

static void reshapes(void **state)
{
    (void)state;
    check_passes("reshapes",
                 "in x\na = Cast(x) to=1\nb = Flatten(a) axis=0\nc = Squeeze(x)\ny = Add(a, b)\nout y, c\n",
                 "in x\nb = Flatten(x) axis=0\nc = Squeeze(x)\ny = Add(x, b)\nout y, c\n");
    check_passes("reshapes,dead", "in x\ns = int64[1]{-1}\na = Reshape(x, s)\ny = Relu(a)\nout y\n",
                 "in x\ny = Relu(x)\nout y\n");
    UNCHANGED("reshapes", "in x\na = Cast(x) to=11\ny = Relu(a)\nout y\n");
}

static void reshapes_there_and_back(void **state)
{
    (void)state;
    const char *relu = "in x\ny = Relu(x)\nout y\n";
    check_passes("reshapes,dead", "in x\na = Cast(x) to=11\nb = Cast(a) to=1\ny = Relu(b)\nout y\n", relu);
    check_passes("reshapes,dead",
                 "in x\ns = int64[3]{1 -1 1}\nf = int64[1]{-1}\na = Reshape(x, s)\nb = Cast(a) to=11\n"
                 "c = Reshape(b, f)\nd = Cast(c) to=1\ny = Relu(d)\nout y\n",
                 relu);
    check_passes("reshapes,dead",
                 "in x\ns = int64[1]{0}\na = Unsqueeze(x, s)\nb = Squeeze(a, s)\ny = Relu(b)\nout y\n", relu);
    /* what goes there, back, and there again stays one node */
    check_passes("reshapes,dead",
                 "in x\ns = int64[2]{-1 1}\nf = int64[1]{-1}\na = Reshape(x, s)\nb = Reshape(a, f)\n"
                 "c = Reshape(b, s)\ny = Add(a, c)\nout y\n",
                 "in x\ns = int64[2]{-1 1}\na = Reshape(x, s)\ny = Add(a, a)\nout y\n");
    /* numbers are lost on the way, or elements reordered */
    UNCHANGED("reshapes", "in x\na = Cast(x) to=10\nb = Cast(a) to=1\ny = Relu(b)\nout y\n");
    UNCHANGED("reshapes", "in x\na = Cast(x) to=7\nb = Cast(a) to=1\ny = Relu(b)\nout y\n");
    UNCHANGED("reshapes", "in x\nf = int64[2]{2 -1}\ns = int64[1]{-1}\na = Reshape(x, f)\n"
                          "b = Transpose(a)\nc = Reshape(b, s)\ny = Relu(c)\nout y\n");
}

static void regroupings(void **state)
{
    (void)state;
    const char *column = "in x\na_axes = int64[1]{1}\na = Unsqueeze(x, a_axes)\ny = Relu(a)\nout y\n";
    check_passes("regroupings,dead", "in x\ns = int64[2]{-1 1}\na = Reshape(x, s)\ny = Relu(a)\nout y\n",
                 column);
    check_passes("regroupings,dead",
                 "opset 11\nin x\ns = int64[2]{-1 1}\na = Reshape(x, s)\ny = Relu(a)\nout y\n",
                 "in x\na = Unsqueeze(x) axes=[1]\ny = Relu(a)\nout y\n");
    check_passes("regroupings,dead", "in x\ns = int64[1]{-1}\na = Unsqueeze(x, s)\ny = Relu(a)\nout y\n",
                 column);
    UNCHANGED("regroupings,dead", column);
    UNCHANGED("regroupings,dead", "in x\ns = int64[2]{-1 2}\na = Reshape(x, s)\ny = Relu(a)\nout y\n");
    /* Of two axes of extent 1 the last one goes. There, back, and there again is the same. */
    const char *squeezed = "in x\ns = int64[1]{1}\nc_axes = int64[1]{1}\na = Unsqueeze(x, s)\nm = Relu(a)\n"
                           "c = Squeeze(m, c_axes)\ny = Relu(c)\nout y\n";
    check_passes(
        "regroupings,dead",
        "in x\ns = int64[1]{1}\nf = int64[1]{-1}\na = Unsqueeze(x, s)\nm = Relu(a)\nc = Reshape(m, f)\n"
        "y = Relu(c)\nout y\n",
        squeezed);
    check_passes(
        "reshapes,regroupings,dead",
        "in x\ns = int64[1]{1}\nf = int64[1]{-1}\nt = int64[2]{-1 1}\na = Unsqueeze(x, s)\nm = Relu(a)\n"
        "c = Reshape(m, f)\nq = Reshape(c, t)\nr = Squeeze(q, s)\ny = Relu(r)\nout y\n",
        squeezed);
}

static void fold_constants(void **state)
{
    (void)state;
    check_passes(
        "fold-constants,dead",
        "in x\na = float[2]{1 2}\nb = float[2 1]{10 20}\nc = Add(a, b)\nd = Transpose(c) perm=[1 0]\n"
        "e = Neg(d)\ny = Mul(x, e)\nout y\n",
        "in x\ne = float[2 2]{-11 -21 -12 -22}\ny = Mul(x, e)\nout y\n");
    check_passes("fold-constants,dead",
                 "in x\na = int64[2]{6 -4}\nb = int64[1]{3}\nc = Concat(a, b) axis=0\nd = Sub(c, b)\ns = "
                 "int64[2]{3 1}\n"
                 "e = Reshape(d, s)\nf = Cast(e) to=1\ny = Mul(x, f)\nout y\n",
                 "in x\nf = float[3 1]{3 -7 0}\ny = Mul(x, f)\nout y\n");
    check_passes("fold-constants,dead",
                 "in x\na = float[2 1]{1 2}\nb = float[2 2]{3 4 5 6}\nc = Concat(a, b) axis=-1\ny = Mul(x, "
                 "c)\nout y\n",
                 "in x\nc = float[2 3]{1 3 4 2 5 6}\ny = Mul(x, c)\nout y\n");
    check_passes("fold-constants,dead",
                 "in x\na = float[2]{4 2.75}\nb = Sqrt(a)\nc = Reciprocal(b)\nd = Cast(a) to=7\ny = Mul(x, "
                 "c)\nout y, d\n",
                 "in x\nc = float[2]{0.5 0.603023}\nd = int64[2]{4 2}\ny = Mul(x, c)\nout y, d\n");
    /* defaults can be replaced; integers overflow; 0 / 0; machines differ about Exp and about dividing
     * integers */
    UNCHANGED("fold-constants", "in x, a\na = float[1]{1}\nb = Neg(a)\ny = Mul(x, b)\nout y\n");
    UNCHANGED("fold-constants",
              "in x\na = int64[1]{4e+18}\nb = Mul(a, a)\nc = Cast(b) to=1\ny = Mul(x, c)\nout y\n");
    UNCHANGED("fold-constants", "in x\na = float[1]{0}\nb = Div(a, a)\ny = Mul(x, b)\nout y\n");
    UNCHANGED("fold-constants", "in x\na = float[1]{1}\nb = Exp(a)\ny = Mul(x, b)\nout y\n");
    UNCHANGED("fold-constants",
              "in x\na = int64[1]{7}\nb = Div(a, a)\nc = Cast(b) to=1\ny = Mul(x, c)\nout y\n");
    check_passes("fold-constants", "opset 6\nin x\na = float[1]{1}\nb = Add(a, a)\ny = Mul(x, b)\nout y\n",
                 "in x\na = float[1]{1}\nb = Add(a, a)\ny = Mul(x, b)\nout y\n");
}

static void fuse_gemm(void **state)
{
    (void)state;
#define SUM(b, c, sum)                                                                                       \
    "in x\na = float[1 1]{2}\nb = float" b "\nc = float" c "\np = MatMul(a, b)\nz = " sum                    \
    "\ny = Mul(x, z)\nout y\n"
#define GEMM(b, c)                                                                                           \
    "in x\na = float[1 1]{2}\nb = float" b "\nc = float" c "\nz = Gemm(a, b, c)\ny = Mul(x, z)\nout y\n"
    check_passes("fuse-gemm", SUM("[1 2]{1 2}", "[2]{3 4}", "Add(p, c)"), GEMM("[1 2]{1 2}", "[2]{3 4}"));
    check_passes("fuse-gemm", SUM("[1 2]{1 2}", "[1 1]{3}", "Add(c, p)"), GEMM("[1 2]{1 2}", "[1 1]{3}"));
    UNCHANGED("fuse-gemm", SUM("[1 2]{1 2}", "[3 2]{3 4 5 6 7 8}", "Add(p, c)"));
    UNCHANGED("fuse-gemm", SUM("[1 2]{1 2}", "[1 1 2]{3 4}", "Add(p, c)"));
    UNCHANGED("fuse-gemm", SUM("[1 2]{1 2}", "[2]{3 4}", "Sub(p, c)"));
    UNCHANGED("fuse-gemm", SUM("[1 2]{1 2}", "[2]{3 4}", "Add(p, p)"));
    UNCHANGED("fuse-gemm", SUM("[1 1 2]{1 2}", "[2]{3 4}", "Add(p, c)"));
    UNCHANGED("fuse-gemm",
              "in x\nw = float[1 2]{1 2}\nb = float[2]{3 4}\np = MatMul(x, w)\ny = Add(p, b)\nout y\n");
}

static void fold_batch_normalization(void **state)
{
    (void)state;
    /* scale 2 and 3, shift 10 and 20, mean 1 and 2, variance 4 and 9 - epsilon */
#define STATISTICS "s = float[2]{2 3}\nb = float[2]{10 20}\nm = float[2]{1 2}\nv = float[2]{3 8}\n"
#define NORMALIZE "y = BatchNormalization(a, s, b, m, v) epsilon=1.00\nout y\n"
    const char *passes = "fold-batch-normalization,dead";
    check_passes(passes, "in x\nw = float[2 1 1]{1 2}\n" STATISTICS "a = Conv(x, w)\n" NORMALIZE,
                 "in x\nw_folded = float[2 1 1]{1 2}\nb_folded = float[2]{9 18}\ny = Conv(x, w_folded, "
                 "b_folded)\nout y\n");
    check_passes(
        passes, "in x\nw = float[2 1 1]{1 2}\nc = float[2]{5 7}\n" STATISTICS "a = Conv(x, w, c)\n" NORMALIZE,
        "in x\nw_folded = float[2 1 1]{1 2}\nb_folded = float[2]{14 25}\ny = Conv(x, w_folded, "
        "b_folded)\nout y\n");
    check_passes(passes,
                 "in x\nw = float[2 1 1]{1 2}\ns = float[2]{4 9}\nb = float[2]{0 0}\nm = float[2]{0 0}\nv = "
                 "float[2]{3 8}\n"
                 "a = ConvTranspose(x, w) group=2\n" NORMALIZE,
                 "in x\nw_folded = float[2 1 1]{2 6}\nb_folded = float[2]{0 0}\n"
                 "y = ConvTranspose(x, w_folded, b_folded) group=2\nout y\n");
    check_passes(passes,
                 "in x\nw = float[3 2]{1 2 3 4 5 6}\nc = float[]{5}\ns = float[2]{4 9}\nb = float[2]{0 1}\nm "
                 "= float[2]{0 0}\n"
                 "v = float[2]{3 8}\na = Gemm(x, w, c) beta=2.0\n" NORMALIZE,
                 "in x\nw_folded = float[3 2]{2 6 6 12 10 18}\nb_folded = float[2]{20 31}\n"
                 "y = Gemm(x, w_folded, b_folded)\nout y\n");
    /* somebody else reads it; training; a mean that is no constant; a variance of no channel; what overflows
     */
    UNCHANGED(passes, "in x\nw = float[2 1 1]{1 2}\n" STATISTICS "a = Conv(x, w)\nz = Relu(a)\n"
                      "y = BatchNormalization(a, s, b, m, v)\nout y, z\n");
    UNCHANGED(passes, "in x\nw = float[2 1 1]{1 2}\n" STATISTICS "a = Conv(x, w)\n"
                      "y = BatchNormalization(a, s, b, m, v) training_mode=1\nout y\n");
    UNCHANGED(passes,
              "in x, m\nw = float[2 1 1]{1 2}\ns = float[2]{2 3}\nb = float[2]{10 20}\nv = float[2]{3 8}\n"
              "a = Conv(x, w)\ny = BatchNormalization(a, s, b, m, v)\nout y\n");
    UNCHANGED(passes,
              "in x\nw = float[2 1 1]{1 2}\ns = float[2]{2 3}\nb = float[2]{10 20}\nm = float[2]{1 2}\n"
              "v = float[2]{-1 8}\na = Conv(x, w)\n" NORMALIZE);
    UNCHANGED(
        passes,
        "in x\nw = float[2 1 1]{1e+38 2}\ns = float[2]{1e+38 3}\nb = float[2]{10 20}\nm = float[2]{1 2}\n"
        "v = float[2]{3 8}\na = Conv(x, w)\n" NORMALIZE);
    UNCHANGED(passes, "in x\nw = float[3 2]{1 2 3 4 5 6}\nc = float[2 1]{5 6}\n" STATISTICS
                      "a = Gemm(x, w, c)\n" NORMALIZE);
}

static void optionals(void **state)
{
    (void)state;
    check_passes("optionals", "in x\ny, m = MaxPool(x) kernel_shape=[2]\nout y\n",
                 "in x\ny = MaxPool(x) kernel_shape=[2]\nout y\n");
    check_passes("optionals", "in x, w, r\na, h, _ = LSTM(x, w, r, _, _) hidden_size=2\nout h\n",
                 "in x, w, r\n_, h = LSTM(x, w, r) hidden_size=2\nout h\n");
    UNCHANGED("optionals", "in x, w\na, b = Split(x) axis=0\nout a\n");
    UNCHANGED("optionals", "in x, w\na, b = custom.MaxPool(x, _, w)\nout a\n");
}

static void dead(void **state)
{
    (void)state;
    check_passes("dead", "in x\nw = float[1]{1}\na = Add(x, w)\nb = Relu(a)\ny = Relu(x)\nout y\n",
                 "in x\ny = Relu(x)\nout y\n");
    UNCHANGED("dead", "in x, w\nw = float[1]{1}\ny = Relu(x)\nout y\n");
    check_passes(
        "dead",
        "in c, x\nw = float[1]{1}\na = Tanh(x)\n"
        "y = If(c) else_branch={d = Relu(w); e = Relu(x); out e} then_branch={f = Add(a, a); g = Relu(x); "
        "out g}\n"
        "out y\n",
        "in c, x\ny = If(c) else_branch={e = Relu(x); out e} then_branch={g = Relu(x); out g}\nout y\n");
}

static void attributes(void **state)
{
    (void)state;
    check_passes("attributes",
                 "in x, w\ny = Conv(x, w) strides=[2 2] pads=[0 0 0 0] group=1 dilations=[1 1] "
                 "auto_pad=\"NOTSET\"\nout y\n",
                 "in x, w\ny = Conv(x, w) strides=[2 2]\nout y\n");
    check_passes("attributes", "in x, w\ny = Gemm(x, w) transB=1 transA=0 beta=1.0 alpha=0.5\nout y\n",
                 "in x, w\ny = Gemm(x, w) alpha=0.500 transB=1\nout y\n");
    check_passes("attributes", "in x\na = Transpose(x) perm=[2 1 0]\nb = Transpose(a) perm=[0 2 1]\nout b\n",
                 "in x\na = Transpose(x)\nb = Transpose(a) perm=[0 2 1]\nout b\n");
    /* The default of Softmax was another one before version 13. */
    check_passes("attributes", "opset 11\nin x\na = Softmax(x) axis=1\ny = Softmax(a) axis=-1\nout y\n",
                 "in x\na = Softmax(x)\ny = Softmax(a) axis=-1\nout y\n");
    check_passes("attributes", "in x\na = Softmax(x) axis=1\ny = Softmax(a) axis=-1\nout y\n",
                 "in x\na = Softmax(x) axis=1\ny = Softmax(a)\nout y\n");
    UNCHANGED("attributes", "in x\ny = custom.Softmax(x) axis=-1\nout y\n");
    check_passes("attributes", "opset 99\nin x\ny = Softmax(x) axis=-1\nout y\n",
                 "in x\ny = Softmax(x) axis=-1\nout y\n");
    /* BatchNormalization has no default for `spatial` from version 9 on. */
    check_passes("attributes",
                 "opset 9\nin x, s, b, m, v\n"
                 "y = BatchNormalization(x, s, b, m, v) epsilon=0.00001 spatial=1\nout y\n",
                 "in x, s, b, m, v\ny = BatchNormalization(x, s, b, m, v) spatial=1\nout y\n");
}

static void separate_and_merge(void **state)
{
    (void)state;
    check_passes("separate", "in x\nw = float[1]{2}\na = Add(x, w)\ny = Mul(a, w)\nout y\n",
                 "in x\nw = float[1]{2}\nw__1 = float[1]{2}\na = Add(x, w)\ny = Mul(a, w__1)\nout y\n");
    UNCHANGED("separate", "in x, w\nw = float[1]{2}\na = Add(x, w)\ny = Mul(a, w)\nout y\n");
    check_passes("separate", "in x\ny = float[1]{2}\na = Add(x, y)\nout a, y\n",
                 "in x\ny = float[1]{2}\ny__1 = float[1]{2}\na = Add(x, y__1)\nout a, y\n");
    check_passes("separate,merge", "in x\nw = float[1]{2}\na = Add(x, w)\ny = Mul(a, w)\nout y\n",
                 "in x\nw = float[1]{2}\na = Add(x, w)\ny = Mul(a, w)\nout y\n");
    check_passes("merge",
                 "in x\nu = float[1]{2}\nv = float[]{2}\nw = float[1]{2}\nz = float[1]{3}\na = Add(x, w)\nb "
                 "= Mul(a, u)\n"
                 "c = Mul(b, z)\ny = Mul(c, v)\nout y\n",
                 "in x\nu = float[1]{2}\nv = float[]{2}\nz = float[1]{3}\na = Add(x, u)\nb = Mul(a, u)\n"
                 "c = Mul(b, z)\ny = Mul(c, v)\nout y\n");
    UNCHANGED("merge", "in x, u\nu = float[1]{2}\nw = float[1]{2}\na = Add(x, w)\ny = Mul(a, u)\nout y\n");
    check_passes("merge",
                 "in c, x\nu = float[1]{2}\nw = float[1]{2}\na = Add(x, w)\n"
                 "y = If(c) else_branch={d = Add(u, a); out d} then_branch={e = Add(u, w); out e}\nout y\n",
                 "in c, x\nu = float[1]{2}\na = Add(x, u)\n"
                 "y = If(c) else_branch={d = Add(u, a); out d} then_branch={e = Add(u, u); out e}\nout y\n");
}

/* Several blocks long, equal but for the last byte. */
static void merge_long_tensors(void **state)
{
    (void)state;
    buffer text = {0};
    say(&text, "in x\n");
    for (int t = 0; t < 4; t++) {
        say(&text, "w%d = float[300]{", t);
        for (int i = 0; i < 300; i++)
            say(&text, "%d ", i == 299 ? t / 2 : i);
        say(&text, "}\n");
    }
    say(&text, "a = Add(x, w0)\nb = Add(a, w1)\nc = Add(b, w2)\nd = Add(c, w3)\nout d\n");
    put_bytes(&text, "", 1);
    cnx_model *model = model_of_text((const char *)text.bytes);
    free(text.bytes);
    cnx_canon_options options = {.passes = "merge"};
    assert_int_equal(cnx_canonicalize(model, &options, NULL, NULL), CNX_OK);
    assert_int_equal(model->graph->initializer_count, 2);
    cnx_model_close(model);
}

static void commute(void **state)
{
    (void)state;
    const char *pairs[][2] = {
        {"in x\na = Relu(x)\ny = Add(a, x)\nout y\n", "in x\na = Relu(x)\ny = Add(x, a)\nout y\n"},
        {"in x, z\ny = Max(x, z)\nout y\n", "in x, z\ny = Max(z, x)\nout y\n"},
        /* told apart by weights only */
        {"in x\nv = float[1]{2}\nw = float[1]{3}\na = Mul(x, v)\nb = Mul(x, w)\ny = Add(a, b)\nout y\n",
         "in x\nv = float[1]{3}\nw = float[1]{2}\na = Mul(v, x)\nb = Mul(x, w)\ny = Add(a, b)\nout y\n"},
        /* told apart by an index only */
        {"in x\nv = int64[]{0}\nw = int64[]{1}\ns = Shape(x)\na = Gather(s, v)\nb = Gather(s, w)\ny = Mul(a, "
         "b)\nout y\n",
         "in x\nv = int64[]{1}\nw = int64[]{0}\ns = Shape(x)\na = Gather(s, v)\nb = Gather(s, w)\ny = Mul(a, "
         "b)\nout y\n"},
        /* inside a nested graph */
        {"in c, x\ny = If(c) else_branch={d = Relu(x); e = Add(d, x); out e} then_branch={f = Relu(x); out "
         "f}\nout y\n",
         "in c, x\ny = If(c) else_branch={d = Relu(x); e = Add(x, d); out e} then_branch={f = Relu(x); out "
         "f}\nout y\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buffer texts[2];
        for (int side = 0; side < 2; side++) {
            cnx_model *model = model_of_text(pairs[i][side]);
            cnx_canon_options options = {.passes = "commute,order,merge,names"};
            assert_int_equal(cnx_canonicalize(model, &options, NULL, NULL), CNX_OK);
            texts[side] = text_of(model);
            cnx_model_close(model);
        }
        assert_string_equal(texts[0].bytes, texts[1].bytes);
        free(texts[0].bytes);
        free(texts[1].bytes);
    }
    UNCHANGED("commute", "in x, z\na = Sub(x, z)\nb = Sub(z, x)\nc = custom.Add(x, z)\nd = custom.Add(z, x)\n"
                         "out a, b, c, d\n");
    /* Before version 7 the second input was stretched to the first. */
    check_passes("commute",
                 "opset 6\nin x, z\na = Add(x, z) broadcast=1\nb = Add(z, x) broadcast=1\nout a, b\n",
                 "in x, z\na = Add(x, z) broadcast=1\nb = Add(z, x) broadcast=1\nout a, b\n");
}

static void order(void **state)
{
    (void)state;
    check_passes("order",
                 "in x\nv = float[1]{1}\nw = float[1]{2}\nc = Relu(b)\nb = Mul(x, w)\na = Mul(x, v)\n"
                 "y = Sub(a, c)\nz = Relu(b)\nout y, z\n",
                 "in x\nv = float[1]{1}\nw = float[1]{2}\na = Mul(x, v)\nb = Mul(x, w)\nc = Relu(b)\n"
                 "y = Sub(a, c)\nz = Relu(b)\nout y, z\n");
    check_passes(
        "order",
        "in x\nv = float[1]{1}\nw = float[1]{2}\nb = Mul(x, w)\na = Mul(x, v)\ny = Sub(b, a)\nout y\n",
        "in x\nw = float[1]{2}\nv = float[1]{1}\nb = Mul(x, w)\na = Mul(x, v)\ny = Sub(b, a)\nout y\n");
    /* What a nested graph captures comes in the order in which it is read there. */
    check_passes("order",
                 "in c, x\na = Relu(x)\nb = Tanh(x)\n"
                 "y = If(c) else_branch={e = Relu(b); d = Relu(a); f = Sub(d, e); out f} then_branch={g = "
                 "Relu(x); out g}\n"
                 "out y\n",
                 "in c, x\na = Relu(x)\nb = Tanh(x)\n"
                 "y = If(c) else_branch={d = Relu(a); e = Relu(b); f = Sub(d, e); out f} then_branch={g = "
                 "Relu(x); out g}\n"
                 "out y\n");
}

static void names(void **state)
{
    (void)state;
    check_passes(
        "names", "in x\nu = float[1]{1}\nq = Add(x, u)\np, r = Split(q) axis=0\ns = Add(p, r)\nout s\n",
        "in x\nAdd_0_in1 = float[1]{1}\nAdd_0 = Add(x, Add_0_in1)\nSplit_0, Split_0_1 = Split(Add_0) axis=0\n"
        "s = Add(Split_0, Split_0_1)\nout s\n");
    /* The interface has these names already. */
    check_passes("names", "in Relu_0\na = Relu(Relu_0)\nRelu_0_ = Tanh(a)\nout Relu_0_\n",
                 "in Relu_0\nRelu_0__ = Relu(Relu_0)\nRelu_0_ = Tanh(Relu_0__)\nout Relu_0_\n");
    check_passes(
        "names",
        "in c, x\nw = float[1]{1}\na = Relu(x)\n"
        "y = If(c) else_branch={k = float[1]{1}; d = Add(a, w); out d, k} then_branch={e = Relu(a); g = "
        "Relu(e); "
        "out g, e}\nout y\n",
        "in c, x\nIf_0_capture0 = float[1]{1}\nRelu_0 = Relu(x)\n"
        "y = If(c) else_branch={If_0_else_branch_out1 = float[1]{1}; Add_0 = Add(Relu_0, If_0_capture0); "
        "out Add_0, If_0_else_branch_out1} then_branch={Relu_1 = Relu(Relu_0); Relu_2 = Relu(Relu_1); "
        "out Relu_2, Relu_1}\nout y\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants),
        cmocka_unit_test(identities),
        cmocka_unit_test(identities_at_the_interface),
        cmocka_unit_test(identities_and_nested_graphs),
        cmocka_unit_test(hoisting),
        cmocka_unit_test(transposes),
        cmocka_unit_test(reshapes),
        cmocka_unit_test(reshapes_there_and_back),
        cmocka_unit_test(regroupings),
        cmocka_unit_test(fold_constants),
        cmocka_unit_test(fuse_gemm),
        cmocka_unit_test(fold_batch_normalization),
        cmocka_unit_test(optionals),
        cmocka_unit_test(dead),
        cmocka_unit_test(attributes),
        cmocka_unit_test(separate_and_merge),
        cmocka_unit_test(merge_long_tensors),
        cmocka_unit_test(commute),
        cmocka_unit_test(order),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("rewrite_passes", tests, enter_folder, leave_folder);
}
