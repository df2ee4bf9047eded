"""Writes digits8x8.bin from a CSV with 64 pixels and the label in each row.

Usage: python3 make_digits8x8.py digits.csv[.gz] digits8x8.bin

The CSV is `sklearn/datasets/data/digits.csv.gz` of scikit-learn 1.9.1, which is the test part of
the UCI set in its original order. Layout of the file: "DIG8", u16 count, u8 height, u8 width
(little-endian), then one zlib stream of `count` labels (0 to 9) and `count` x 64 pixels (0 to 16).
"""

import gzip
import struct
import sys
import zlib


def main(source, target):
    opener = gzip.open if source.endswith(".gz") else open
    with opener(source, "rt") as file:
        rows = [[int(float(cell)) for cell in line.split(",")] for line in file if line.strip()]
    assert len(rows) == 1797 and all(len(row) == 65 for row in rows)
    labels = bytes(row[64] for row in rows)
    pixels = bytes(pixel for row in rows for pixel in row[:64])
    assert max(labels) == 9 and max(pixels) == 16
    with open(target, "wb") as file:
        file.write(b"DIG8" + struct.pack("<HBB", len(rows), 8, 8))
        file.write(zlib.compress(labels + pixels, 9))


if __name__ == "__main__":
    main(*sys.argv[1:])
