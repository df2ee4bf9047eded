"""Makes the small pictures here and prints the numbers that `images.rs` compares with.

Needs Pillow 12 (its passes run in the order of `Filter::Bilinear`) and OpenCV 4; the tests
do not need this script.
"""

import os
import struct
import sys
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))


def pattern(width, height, channels):
    y, x, c = np.ogrid[:height, :width, :channels]
    return ((x * x * 7 + y * 13 + c * 50 + x * y) % 256).astype(np.uint8)


def crc(pixels):
    return f"{zlib.crc32(np.ascontiguousarray(pixels).tobytes()):#010x}"


def bmp(width, height, bits, compression, rows, palette=b"", masks=b"", core=False, colours=0):
    if core:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
    offset = 14 + len(info) + len(masks) + len(palette)
    data = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    header = b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset)
    return header + info + masks + palette + data


def main():
    rgb = pattern(13, 9, 3)
    image = Image.fromarray(rgb)
    gray = image.convert("L")
    save = lambda img, name, **options: img.save(os.path.join(HERE, name), **options)

    def write(name, content):
        with open(os.path.join(HERE, name), "wb") as file:
            file.write(content)

    save(gray.point(lambda v: 255 * (v > 99)).convert("1"), "gray1.png")
    save(gray, "gray8.png")
    save(Image.fromarray(np.array(gray).astype(np.uint16) * 256 + 200), "gray16.png")
    save(Image.merge("LA", (gray, gray.transpose(0))), "gray_alpha.png")
    save(image, "rgb8.png")
    rgba = image.convert("RGBA")
    rgba.putalpha(gray)
    save(rgba, "rgba8.png")
    save(image.quantize(7), "palette4.png", bits=4, transparency=2)
    cv2.imwrite(os.path.join(HERE, "rgb16.png"), rgb[..., ::-1].astype(np.uint16) * 256 + 99)

    bgr = rgb[..., ::-1]
    write("rgb24.bmp", bmp(13, 9, 24, 0, [row.tobytes() for row in bgr[::-1]]))
    write("top_down.bmp", bmp(13, -9, 24, 0, [row.tobytes() for row in bgr]))
    write("core.bmp", bmp(13, 9, 24, 0, [row.tobytes() for row in bgr[::-1]], core=True))
    save(rgba, "rgba32.bmp")
    save(gray, "gray8.bmp")
    save(gray.point(lambda v: 255 * (v > 99)).convert("1"), "gray1.bmp")
    wide = rgb.astype(np.uint16)
    packed = (wide[..., 0] >> 3) << 11 | (wide[..., 1] >> 2) << 5 | wide[..., 2] >> 3
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    write("rgb565.bmp", bmp(13, 9, 16, 3, [row.astype("<u2").tobytes() for row in packed[::-1]], masks=masks))
    index = (rgb[..., 0] >> 5).astype(np.uint8)
    padded = np.pad(index, ((0, 0), (0, 1)))
    rows = [bytes(row[0::2] << 4 | row[1::2]) for row in padded[::-1]]
    write("palette4.bmp", bmp(13, 9, 4, 0, rows, palette=bytes(range(40, 72)), colours=8))

    for name, options in {
        "444.jpg": {"subsampling": 0},
        "420.jpg": {"subsampling": 2},
        "progressive.jpg": {"progressive": True},
    }.items():
        save(image, name, quality=90, **options)
    save(gray, "gray.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(image, "turned.jpg", quality=90, exif=exif, subsampling=0)

    for name in sorted(os.listdir(HERE)):
        if name.endswith((".png", ".bmp")) and not name.startswith("jpeg_"):
            img = Image.open(os.path.join(HERE, name))
            if img.mode.startswith("I"):
                img = Image.fromarray((np.array(img) >> 8).astype(np.uint8))
            alpha_or_gray = img.mode in ("1", "L", "LA")
            pixels = np.array(img.convert("L" if alpha_or_gray else "RGB"))
            print(f'("{name}", {1 if pixels.ndim == 2 else 3}, {crc(pixels)}),')
        if name.endswith(".jpg"):
            img = ImageOps.exif_transpose(Image.open(os.path.join(HERE, name)))
            save(img, "jpeg_" + name[:-4] + ".png")
    for channels in (1, 3):
        source = pattern(23, 17, channels)
        img = Image.fromarray(source.squeeze())
        for size in ((5, 4), (40, 31), (23, 9), (7, 17), (64, 3)):
            pil = [crc(img.resize(size, f)) for f in (Image.NEAREST, Image.BILINEAR, Image.BICUBIC)]
            cv = crc(cv2.resize(source, size, interpolation=cv2.INTER_LINEAR))
            print(f"({channels}, {size}, [{', '.join(pil + [cv])}]),")
    half = crc(cv2.resize(pattern(24, 18, 3), (12, 9), interpolation=cv2.INTER_LINEAR))
    print("half:", half, "luma:", crc(Image.fromarray(pattern(23, 17, 3)).convert("L")))


if __name__ == "__main__":
    sys.exit(main())
