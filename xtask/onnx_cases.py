"""Writes the node tests that the package `onnx` holds as code: python onnx_cases.py FOLDER.

One folder for each case, as wheels up to 1.22.0 hold them: model.onnx, test_data_set_N/input_J.pb and
output_J.pb, and data.json where the tolerances are not the runner's own.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import OptionalProto, SequenceProto, TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests


def message(value, info):
    if isinstance(value, (TensorProto, SequenceProto, OptionalProto)):
        return value
    if info.type.HasField("sequence_type"):
        return numpy_helper.from_list(list(value), info.name)
    if info.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write(folder, what, values, infos):
    for index, (value, info) in enumerate(zip(values, infos)):
        path = folder / f"{what}_{index}.pb"
        path.write_bytes(message(value, info).SerializeToString())


root = Path(sys.argv[1])
for case in load_model_tests(kind="node"):
    folder = root / case.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    if (case.rtol, case.atol) != (1e-3, 1e-7):
        text = json.dumps({"rtol": case.rtol, "atol": case.atol})
        (folder / "data.json").write_text(text)
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir(exist_ok=True)
        write(data, "input", inputs, case.model.graph.input)
        write(data, "output", outputs, case.model.graph.output)
