"""The ONNX files of make_model.py: the reference implementation's own graph, its int8 export, and matrix products alone."""
import os
import sys
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "training"))
import reference  # noqa: E402


def write(out, config, weights):
    for folder in ("onnx", "products"):
        os.makedirs(f"{out}/{folder}", exist_ok=True)
    export(f"{out}/onnx/model.onnx", config, weights)
    quantize(f"{out}/onnx/model.onnx", f"{out}/onnx/model_quantized.onnx")
    write_linear_products(f"{out}/products/linear-fp32.onnx", config, weights, int8=False)
    write_linear_products(f"{out}/products/linear-int8.onnx", config, weights, int8=True)
    write_attention_products(f"{out}/products/attention.onnx", config)


# ---- the whole model, as torch.onnx.export gives it

def layer_norm(config, w, name, x):
    """As in the reference, but the exporter wants the shape to be a constant."""
    return torch.nn.functional.layer_norm(x, (config["hidden_size"],), w[name + ".weight"], w[name + ".bias"], config["layer_norm_eps"])


reference.layer_norm = layer_norm


class Exported(torch.nn.Module):
    def __init__(self, config, weights):
        super().__init__()
        self.config, self.names = config, list(weights)
        for i, name in enumerate(self.names):
            self.register_parameter(f"w{i}", torch.nn.Parameter(weights[name], requires_grad=False))

    def forward(self, input_ids, attention_mask):
        weights = {name: getattr(self, f"w{i}") for i, name in enumerate(self.names)}
        return reference.forward(self.config, weights, input_ids, None, attention_mask)


def export(path, config, weights):
    ids = torch.randint(5, config["vocab_size"] - 1, (2, 16))
    axes = {0: "batch_size", 1: "sequence_length"}
    warnings.simplefilter("ignore", torch.jit.TracerWarning)  # constants that are meant to be constants
    torch.onnx.export(
        Exported(config, weights).eval(), (ids, torch.ones_like(ids)), path, opset_version=14,
        input_names=["input_ids", "attention_mask"], output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch_size"}})


# ---- q8 as transformers.js makes it

def quantize(source, target):
    """What https://github.com/huggingface/transformers.js/blob/3.0.0/scripts/quantize.py asks of onnxruntime.quantization
    for this model, node for node: MatMul by a constant becomes DynamicQuantizeLinear (one for each input) and
    MatMulInteger with int8 weights in [-64, 64] (reduce_range), one scale per output channel; Gather from a float table
    becomes a Gather of int8 rows and DequantizeLinear. That package itself is not in Debian."""
    model = onnx.load(source)
    graph = model.graph
    tables = {entry.name: entry for entry in graph.initializer}
    nodes, quantized_inputs, quantized_weights = [], {}, {}

    def constant(name, array):
        tables[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def weight(name, axis, half):
        if name not in quantized_weights:
            values = numpy_helper.to_array(tables[name])
            scale = (np.abs(values).max(axis=axis) / half).astype(np.float32)
            rounded = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
            parts = (rounded, scale, np.zeros(scale.shape, np.int8))
            quantized_weights[name] = [constant(f"{name}_{kind}", part) for kind, part in zip(("q", "scale", "zero"), parts)]
        return quantized_weights[name]

    def multiply(node):
        x, out = node.input[0], node.output[0]
        if x not in quantized_inputs:
            quantized_inputs[x] = [f"{x}_q", f"{x}_scale", f"{x}_zero"]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [x], quantized_inputs[x]))
        xq, x_scale, x_zero = quantized_inputs[x]
        wq, w_scale, w_zero = weight(node.input[1], 0, 64)
        nodes.extend([
            helper.make_node("MatMulInteger", [xq, wq, x_zero, w_zero], [f"{out}_int"]),
            helper.make_node("Cast", [f"{out}_int"], [f"{out}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [x_scale, w_scale], [f"{out}_scale"]),
            helper.make_node("Mul", [f"{out}_float", f"{out}_scale"], [out])])

    for node in map(without_gemm(tables, constant), graph.node):
        for part in node:
            table = tables.get(part.input[1] if part.op_type == "MatMul" else part.input[0] if part.op_type == "Gather" else "")
            if table is None or table.data_type != TensorProto.FLOAT:
                nodes.append(part)
            elif part.op_type == "MatMul":
                multiply(part)
            else:
                q, scale, zero = weight(part.input[0], None, 127)
                nodes.append(helper.make_node("Gather", [q, part.input[1]], [part.output[0] + "_q"], axis=0))
                nodes.append(helper.make_node("DequantizeLinear", [part.output[0] + "_q", scale, zero], [part.output[0]]))
    used = {name for node in nodes for name in node.input}
    replace(graph.node, nodes)
    replace(graph.initializer, [table for name, table in tables.items() if name in used])
    del graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, target)


def without_gemm(tables, constant):
    """Gemm(x, w, b) as MatMul and Add, which is the first thing that the quantizer does."""
    def split(node):
        if node.op_type != "Gemm":
            return [node]
        x, w, b = node.input
        if any(a.name == "transB" and a.i for a in node.attribute):
            w = constant(w + "_t", numpy_helper.to_array(tables[w]).T)
        product = node.output[0] + "_product"
        return [helper.make_node("MatMul", [x, w], [product]), helper.make_node("Add", [product, b], [node.output[0]])]
    return split


def replace(field, values):
    del field[:]
    field.extend(values)


# ---- the bound: nothing but the matrix products

LINEAR = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
          "intermediate.dense", "output.dense")


def write_linear_products(path, config, weights, int8):
    """All weight products of one pass, on inputs x [rows, tokens, hidden] and f [rows, tokens, intermediate] that are there
    already (and quantized already). One element of each product is kept, so that no optimizer takes it away."""
    kind = TensorProto.UINT8 if int8 else TensorProto.FLOAT
    nodes, kept = [], []
    tables = [numpy_helper.from_array(np.zeros(3, np.int64), "start"), numpy_helper.from_array(np.ones(3, np.int64), "end"),
              numpy_helper.from_array(np.array(128, np.uint8), "x_zero")]
    for layer in range(config["num_hidden_layers"]):
        for name in LINEAR:
            out, x = f"{layer}.{name}", "f" if name == "output.dense" else "x"
            matrix = weights[f"roberta.encoder.layer.{layer}.{name}.weight"].numpy().T
            if int8:
                matrix = np.rint(matrix / (np.abs(matrix).max(axis=0) / 64)).astype(np.int8)
                tables.append(numpy_helper.from_array(np.zeros(matrix.shape[1], np.int8), out + "_zero"))
            tables.append(numpy_helper.from_array(np.ascontiguousarray(matrix), out + "_w"))
            inputs = [x, out + "_w"] + (["x_zero", out + "_zero"] if int8 else [])
            nodes.append(helper.make_node("MatMulInteger" if int8 else "MatMul", inputs, [out]))
            nodes.append(helper.make_node("Slice", [out, "start", "end"], [out + "_kept"]))
            kept.append(out + "_kept")
    nodes.append(helper.make_node("Concat", kept, ["y"], axis=0))
    inputs = [helper.make_tensor_value_info(name, kind, ["rows", "tokens", config[size]])
              for name, size in (("x", "hidden_size"), ("f", "intermediate_size"))]
    output = helper.make_tensor_value_info("y", TensorProto.INT32 if int8 else TensorProto.FLOAT, None)
    save(path, nodes, inputs, [output], tables if int8 else [t for t in tables if t.name != "x_zero"])


def write_attention_products(path, config):
    """Q·K' and P·V of one layer, float32. Whoever uses it runs it once a layer: equal products in one graph become one."""
    heads, size = config["num_attention_heads"], config["hidden_size"] // config["num_attention_heads"]
    shapes = {"q": ["rows", heads, "tokens", size], "k": ["rows", heads, size, "tokens"],
              "p": ["rows", heads, "tokens", "tokens"], "v": ["rows", heads, "tokens", size]}
    nodes = [helper.make_node("MatMul", ["q", "k"], ["qk"]), helper.make_node("Slice", ["qk", "start", "end"], ["qk_kept"]),
             helper.make_node("MatMul", ["p", "v"], ["pv"]), helper.make_node("Slice", ["pv", "start", "end"], ["pv_kept"]),
             helper.make_node("Concat", ["qk_kept", "pv_kept"], ["y"], axis=0)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    tables = [numpy_helper.from_array(np.zeros(4, np.int64), "start"), numpy_helper.from_array(np.ones(4, np.int64), "end")]
    save(path, nodes, inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], tables)


def save(path, nodes, inputs, outputs, tables):
    graph = helper.make_graph(nodes, "products", inputs, outputs, tables)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.save(model, path)
