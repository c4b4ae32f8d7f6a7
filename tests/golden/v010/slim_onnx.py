"""Removes stack traces and shapes in between from an ONNX file; graph and metadata stay."""

import sys

import onnx

model = onnx.load(sys.argv[1])
for graph in (model.graph, *model.functions):
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.value_info[:]
for group in (
    model.graph.value_info,
    model.graph.input,
    model.graph.output,
    model.graph.initializer,
):
    for value in group:
        del value.metadata_props[:]
onnx.save(model, sys.argv[1])
