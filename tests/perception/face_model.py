"""A face detector of the form that `cv2.FaceDetectorYN` reads (YuNet's outputs), which takes anything red for a face.

It is written byte by byte as ONNX's protocol buffers, so that no package is needed that writes them.
"""

import numpy as np

SIDE = 640
STRIDES = (8, 16, 32)


def _varint(number):
    number &= 2**64 - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name, array):
    kind = {"float32": 1, "int64": 7}[str(array.dtype)]
    dims = b"".join(_field(1, size) for size in array.shape)
    return _field(5, dims + _field(2, kind) + _field(8, name) + _field(9, array.tobytes()))


def _node(operator, inputs, output, **attributes):
    known = b"".join(_field(1, one) for one in inputs) + _field(2, output) + _field(3, output) + _field(4, operator)
    for name, values in attributes.items():
        ints = b"".join(_field(8, one) for one in values)
        known += _field(5, _field(1, name) + ints + _field(20, 7))
    return _field(1, known)


def _value(number, name, shape):
    sizes = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(number, _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sizes))))


def write(path, size=64):
    """Write the model; every red spot is said to be a face of so many pixels."""
    nodes = tensors = outputs = b""
    for stride in STRIDES:
        nodes += _node("AveragePool", ["input"], f"pool_{stride}", kernel_shape=[stride] * 2, strides=[stride] * 2)
        red = np.float32([-1, -1, 1]) / 255 if stride == 8 else np.zeros(3, np.float32)  # blue, green, red
        box = np.float32([0.5, 0.5, *[np.log(size / stride)] * 2])
        for part, weights, bias in [
            ("cls", red[None], np.zeros(1)), ("obj", red[None], np.zeros(1)),
            ("bbox", np.zeros((4, 3)), box), ("kps", np.zeros((10, 3)), np.zeros(10)),
        ]:  # fmt: skip
            name, channels, cells = f"{part}_{stride}", len(bias), (SIDE // stride) ** 2
            tensors += _tensor(f"w_{name}", np.ascontiguousarray(weights, np.float32).reshape(channels, 3, 1, 1))
            tensors += _tensor(f"b_{name}", np.asarray(bias, np.float32))
            tensors += _tensor(f"s_{name}", np.array([1, cells, channels], np.int64))
            nodes += _node("Conv", [f"pool_{stride}", f"w_{name}", f"b_{name}"], f"c_{name}", kernel_shape=[1, 1])
            nodes += _node("Transpose", [f"c_{name}"], f"t_{name}", perm=[0, 2, 3, 1])
            nodes += _node("Reshape", [f"t_{name}", f"s_{name}"], name)
            outputs += _value(12, name, [1, cells, channels])
    graph = nodes + _field(2, "red") + tensors + _value(11, "input", [1, 3, SIDE, SIDE]) + outputs
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))
    return path
