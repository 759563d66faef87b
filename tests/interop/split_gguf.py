#!/usr/bin/env python3
"""Writes a GGUF file again in parts, with the gguf package: split_gguf.py FROM.gguf TO.gguf TENSORS

TO-00001-of-0000N.gguf and so on, each with so many tensors at most.  Needs gguf and numpy.
"""
import sys

import gguf

source, target, tensors = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = gguf.GGUFReader(source)
writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents(), split_max_tensors=tensors)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    kind, item = field.types[0], field.types[-1]
    writer.add_key_value(name, field.contents(), kind, item if kind == gguf.GGUFValueType.ARRAY else None)
for t in reader.tensors:
    writer.add_tensor(t.name, t.data, raw_dtype=t.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
