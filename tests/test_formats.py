"""Files of many formats beside what viewers show of them and players play."""

import io
import os
import socket
import struct
import threading
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageOps

from skltransfer import BackboneTransformer, TransferClassifier
from skltransfer._inputs.audio import LogMelSpectrogram, read_audio
from skltransfer._inputs.decoding import decode
from skltransfer._inputs.image_files import read_image_files

HEIGHT, WIDTH = 18, 26
ROW, COLUMN = np.mgrid[:HEIGHT, :WIDTH]
COLOUR = np.stack([ROW * 14, COLUMN * 10, 255 - ROW * 5 - COLUMN * 4], axis=-1).astype(np.uint8)
GREY = (ROW * 9 + COLUMN * 4).astype(np.uint8)
ALPHA = np.where(COLUMN < 9, 0, np.where(COLUMN < 17, 128, 255)).astype(np.uint8)
TIFF_NUMBERS = {"uint16": 1, "int16": 2, "float32": 3, "int32": 2, "uint32": 1, "float64": 3, "int8": 2}


def over_white(colour, alpha):
    """What is seen of a colour in front of a white page."""
    share = alpha[..., None] / 255
    return np.rint(colour * share + 255 * (1 - share))


def tiled(grey):
    return np.repeat(np.asarray(grey, dtype=float)[..., None], 3, axis=-1)


def tiff_bytes(values, *, order="<", white_is_zero=False):
    """Encode one channel of numbers as an uncompressed TIFF file, of kinds that Pillow does not write."""
    values = np.asarray(values)
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries = [
        (256, values.shape[1]), (257, values.shape[0]), (258, values.dtype.itemsize * 8), (259, 1),
        (262, 0 if white_is_zero else 1), (273, 8), (277, 1), (278, values.shape[0]), (279, len(data)),
        (339, TIFF_NUMBERS[str(values.dtype)]),
    ]  # fmt: skip
    directory = np.zeros(len(entries), dtype=[("tag", f"{order}u2"), ("type", f"{order}u2"), ("n", f"{order}u4"),
                                              ("value", f"{order}u4")])  # fmt: skip
    directory["tag"], directory["value"] = np.array(entries).T
    directory["type"], directory["n"] = 4, 1
    head = (b"II*\0" if order == "<" else b"MM\0*") + np.array(8 + len(data), f"{order}u4").tobytes()
    return head + data + np.array(len(entries), f"{order}u2").tobytes() + directory.tobytes() + b"\0" * 4


def png_bytes(values, bits, colour_type, *chunks):
    """Encode samples of any depth as a PNG file; chunks such as tRNS go before the pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    if bits < 8:
        flat = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., -bits:].reshape(len(values), -1)
        lines = [np.packbits(line).tobytes() for line in flat]
    else:
        lines = [line.astype(">u2" if bits == 16 else "u1").tobytes() for line in values]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *(chunk(*c) for c in chunks)]
    data = zlib.compress(b"".join(b"\0" + line for line in lines))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", data), chunk(b"IEND", b"")])


def saved(image, **options):
    """Return what encodes an image as a container."""
    return lambda container: _encode(image, container, options)


def _encode(image, container, options):
    file = io.BytesIO()
    image.save(file, container, **options)
    return file.getvalue()


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def turned(orientation):
    """Store COLOUR so that this orientation brings it upright."""
    undo = {1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
            5: lambda x: x.transpose(1, 0, 2), 6: lambda x: np.rot90(x, 1),
            7: lambda x: np.rot90(x, 2).transpose(1, 0, 2), 8: lambda x: np.rot90(x, -1)}  # fmt: skip
    return Image.fromarray(np.ascontiguousarray(undo[orientation](COLOUR)))


def palette_image(transparency=None):
    image = Image.fromarray(COLOUR).quantize(64)
    seen = np.asarray(image.convert("RGB")).astype(float)
    if transparency is not None:
        alpha = np.array(transparency)[np.asarray(image)]
        seen = over_white(seen, alpha)
    return image, seen


def lossless():
    """Yield name, how to write it, and what is to be seen."""
    rgb, rgba = Image.fromarray(COLOUR), Image.fromarray(np.dstack([COLOUR, ALPHA]))
    la = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)])
    one = Image.fromarray(GREY > 128)
    for container in ("PNG", "TIFF", "BMP", "PPM", "WEBP"):
        options = {"lossless": True} if container == "WEBP" else {}
        yield container, "RGB", saved(rgb, **options), COLOUR
        yield container, "L", saved(Image.fromarray(GREY), **options), tiled(GREY)
    for container in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if container == "WEBP" else {}
        yield container, "RGBA", saved(rgba, **options), over_white(COLOUR, ALPHA)
        yield container, "LA", saved(la, **options), over_white(tiled(GREY), ALPHA)
    for container in ("PNG", "TIFF", "BMP", "PPM", "GIF"):
        yield container, "1", saved(one), tiled((GREY > 128) * 255)
    yield "GIF", "L", saved(Image.fromarray(GREY)), tiled(GREY)
    yield "TIFF", "LZW", saved(rgb, compression="tiff_lzw"), COLOUR
    wide = Image.fromarray(GREY.astype(np.uint16) * 257)
    yield "TIFF", "16 bits, deflate", saved(wide, compression="tiff_deflate"), tiled(GREY)
    palette, seen = palette_image()
    for container in ("PNG", "TIFF", "BMP", "GIF"):
        yield container, "P", saved(palette), seen
    shares = [0, 90, 255, *[255] * 253]
    some, seen = palette_image(shares)
    yield "PNG", "P, alpha by entry", saved(some, transparency=bytes(shares)), seen
    one_entry, seen = palette_image([255] * 5 + [0] + [255] * 250)
    for container in ("PNG", "GIF"):
        yield container, "P, one clear entry", saved(one_entry, transparency=5), seen
    yield "PNG", "RGB, clear colour", saved(rgb, transparency=tuple(map(int, COLOUR[3, 4]))), \
        over_white(COLOUR, np.where((COLOUR - COLOUR[3, 4] == 0).all(axis=-1), 0, 255))  # fmt: skip
    yield "PNG", "L, clear grey", saved(Image.fromarray(GREY), transparency=int(GREY[3, 4])), \
        over_white(tiled(GREY), np.where(GREY - GREY[3, 4] == 0, 0, 255))  # fmt: skip
    for orientation in range(1, 9):
        exif = oriented(orientation)
        yield "PNG", f"orientation {orientation}", saved(turned(orientation), exif=exif), COLOUR
        yield "TIFF", f"orientation {orientation}", saved(turned(orientation), exif=exif), COLOUR
    for bits in (1, 2, 4):
        levels = GREY >> (8 - bits)
        white = 2**bits - 1
        yield "PNG", f"{bits} bits", lambda _, b=bits, v=levels: png_bytes(v, b, 0), tiled(levels * (255 // white))
        key = (b"tRNS", bytes([0, 1]))
        yield "PNG", f"{bits} bits, clear grey", lambda _, b=bits, v=levels, k=key: png_bytes(v, b, 0, k), \
            over_white(tiled(levels * (255 // white)), np.where(levels == 1, 0, 255))  # fmt: skip
    yield from deep()
    yield from colour_spaces()


def deep():
    """Yield files of more than 8 bits; what they hold is a picture of 8 bits, brought to their scale."""
    wide, odd = GREY.astype(np.uint16) * 257, np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    odd = odd.astype(np.uint16)
    yield "PNG", "16 bits", saved(Image.fromarray(wide)), tiled(GREY)
    yield "PNG", "16 bits, all levels", saved(Image.fromarray(odd)), tiled(np.rint(odd / 257))
    yield "PPM", "16 bits", saved(Image.fromarray(wide)), tiled(GREY)
    clear_grey = (b"tRNS", wide[3, 4].astype(">u2").tobytes())
    yield "PNG", "16 bits, clear grey", lambda _: png_bytes(wide, 16, 0, clear_grey), \
        over_white(tiled(GREY), np.where(GREY - GREY[3, 4] == 0, 0, 255))  # fmt: skip
    for name, colour_type, values, seen in (
        ("RGB", 2, COLOUR, COLOUR),
        ("RGBA", 6, np.dstack([COLOUR, ALPHA]), over_white(COLOUR, ALPHA)),
        ("LA", 4, np.dstack([GREY, ALPHA]), over_white(tiled(GREY), ALPHA)),
    ):
        written = values.astype(np.uint16) * 257
        yield "PNG", f"16 bits {name}", lambda _, v=written, c=colour_type: png_bytes(v, 16, c), seen
    clear = COLOUR[3, 4].astype(np.uint16) * 257
    yield "PNG", "16 bits RGB, clear colour", \
        lambda _: png_bytes(COLOUR.astype(np.uint16) * 257, 16, 2, (b"tRNS", clear.astype(">u2").tobytes())), \
        over_white(COLOUR, np.where((COLOUR - COLOUR[3, 4] == 0).all(axis=-1), 0, 255))  # fmt: skip
    twelve = f"P5 {WIDTH} {HEIGHT} 4095\n".encode()
    yield (
        "PPM",
        "12 bits, as its header says",
        lambda _: twelve + np.rint(GREY / 255 * 4095).astype(">u2").tobytes(),
        tiled(GREY),
    )
    few = f"P5 {WIDTH} {HEIGHT} 15\n".encode()
    yield "PPM", "4 bits, as its header says", lambda _: few + (GREY >> 4).tobytes(), tiled((GREY >> 4) * 17)
    for order in "<>":
        for dtype in ("uint16", "int32", "float32"):
            values = (GREY / 255 if dtype[0] == "f" else GREY * 257.0).astype(dtype)
            yield "TIFF", f"{dtype} {order}", lambda _, v=values, o=order: tiff_bytes(v, order=o), tiled(GREY)
    yield "TIFF", "uint32 <", lambda _: tiff_bytes(GREY.astype(np.uint32) * 257), tiled(GREY)
    yield "TIFF", "float32 from 0 to 255", lambda _: tiff_bytes(GREY.astype(np.float32) + np.float32(0.25)), tiled(GREY)
    over = np.where(GREY > 240, 1.03, GREY / 255).astype(np.float32)
    yield "TIFF", "float32 with overshoot", lambda _: tiff_bytes(over), tiled(np.where(GREY > 240, 255, GREY))
    yield "TIFF", "uint16, 0 is white", lambda _: tiff_bytes(wide, white_is_zero=True), tiled(255 - GREY)


def colour_spaces():
    rgb = Image.fromarray(COLOUR)
    for mode in ("CMYK", "YCbCr", "LAB"):
        image = rgb.convert(mode)
        yield "TIFF", mode, saved(image), np.asarray(image.convert("RGB"))
    premultiplied = Image.fromarray(np.dstack([COLOUR, ALPHA])).convert("RGBa")
    straight = np.asarray(premultiplied.convert("RGBA"))
    yield "TIFF", "RGBX", saved(rgb.convert("RGBX")), COLOUR
    yield (
        "WEBP",
        "RGBa",
        saved(premultiplied, lossless=True, exact=True),
        over_white(straight[..., :3], straight[..., 3]),
    )


def lossy():
    """Yield name, how to write it, what is to be seen, and how many levels it may differ."""
    rgb, smooth = Image.fromarray(COLOUR), {"quality": 100}
    yield "JPEG", "RGB", saved(rgb, subsampling=0, **smooth), COLOUR, 4
    yield "JPEG", "L", saved(Image.fromarray(GREY), **smooth), tiled(GREY), 2
    yield "JPEG", "CMYK", saved(rgb.convert("CMYK"), **smooth), COLOUR, 6
    yield "JPEG", "progressive", saved(rgb, progressive=True, subsampling=0, **smooth), COLOUR, 4
    yield "WEBP", "RGB, lossy", saved(rgb, **smooth), COLOUR, 12
    for orientation in range(1, 9):
        exif = oriented(orientation)
        yield (
            "JPEG",
            f"orientation {orientation}",
            saved(turned(orientation), exif=exif, subsampling=0, **smooth),
            COLOUR,
            4,
        )
        yield "WEBP", f"orientation {orientation}", saved(turned(orientation), exif=exif, lossless=True), COLOUR, 0


SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif"}
IMAGES = {f"{container}, {name}": (container, write, seen, 0) for container, name, write, seen in lossless()}
IMAGES |= {f"{container}, {name}": (container, write, seen, levels) for container, name, write, seen, levels in lossy()}


def test_enough_formats():
    assert len(IMAGES) >= 60
    assert len(SOUNDS) >= 20


@pytest.mark.parametrize("case", IMAGES)
def test_image_files_are_read_as_a_viewer_shows_them(tmp_path, case):
    container, write, seen, levels = IMAGES[case]
    path = tmp_path / f"a{SUFFIX.get(container, '.' + container.lower())}"
    path.write_bytes(write(container))
    samples = read_image_files([path, path.read_bytes(), io.BytesIO(path.read_bytes())], learn=True)
    read = samples.resized([0, 1, 2], (HEIGHT, WIDTH)).astype(float)
    worst = np.abs(read - seen).max(axis=(1, 2, 3))
    assert worst.max() <= levels, f"{case} as path, bytes and BytesIO differ by {worst} levels from what is shown"


IN_MEMORY = ("1", "L", "P", "PA", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16",
             "I;16B", "I;16L", "F")  # fmt: skip


def in_memory(mode):
    """Return COLOUR, GREY and ALPHA as far as a mode can hold them, and what is to be seen of them."""
    if mode.startswith(("I", "F")):
        dtype = {"I": "<i4", "F": "<f4", "I;16B": ">u2"}.get(mode, "<u2")
        return Image.frombytes(mode, (WIDTH, HEIGHT), (GREY * 257.0).astype(dtype).tobytes()), tiled(GREY)
    rgba = Image.fromarray(np.dstack([COLOUR, ALPHA]))
    if mode in ("RGBA", "RGBa"):
        straight = np.asarray(rgba.convert(mode).convert("RGBA"))
        return rgba.convert(mode), over_white(straight[..., :3], straight[..., 3])
    if mode in ("LA", "La", "PA"):
        image = rgba.convert("LA").convert(mode)
        straight = np.asarray((image.convert("LA") if mode == "La" else image).convert("RGBA"))
        return image, over_white(straight[..., :3], straight[..., 3])
    image = Image.fromarray(COLOUR).convert(mode)
    return image, np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("mode", IN_MEMORY)
def test_images_in_memory_give_the_same_features_and_stay_unchanged(mode):
    image, seen = in_memory(mode)
    before = image.tobytes()
    samples = read_image_files([image], learn=True)
    worst = np.abs(samples.resized([0], (HEIGHT, WIDTH))[0].astype(float) - seen).max()
    assert worst == 0, f"mode {mode} differs by {worst} levels"
    assert (image.mode, image.size, image.tobytes()) == (mode, (WIDTH, HEIGHT), before)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_in_memory_are_turned_upright(orientation):
    image = turned(orientation)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(decode(image), COLOUR)
    np.testing.assert_array_equal(decode(image), np.asarray(ImageOps.exif_transpose(image)))


def test_image_that_is_not_read_yet_gives_the_same_in_fit_and_afterwards():
    twelve = f"P5 {WIDTH} {HEIGHT} 4095\n".encode() + np.rint(GREY / 255 * 4095).astype(">u2").tobytes()
    image = Image.open(io.BytesIO(twelve))
    samples = read_image_files([image], learn=True)
    for seen in (samples, samples, read_image_files([image], deep_range=samples.deep_range)):
        np.testing.assert_array_equal(seen.resized([0], (HEIGHT, WIDTH))[0], tiled(GREY))


def test_damaged_exif_data_turn_nothing(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=b"Exif\0\0nothing like it")
    np.testing.assert_array_equal(read_image_files([tmp_path / "a.png"]).resized([0], (HEIGHT, WIDTH))[0], COLOUR)


def test_hidden_colours_do_not_reach_the_network(tmp_path):
    hidden = np.zeros((2, 24, 24, 4), np.uint8)
    hidden[1, ..., :3] = 200
    for i in range(2):
        Image.fromarray(hidden[i]).save(tmp_path / f"{i}.png")
    features = BackboneTransformer(image_size=32).fit_transform([tmp_path / "0.png", tmp_path / "1.png"])
    np.testing.assert_array_equal(features[0], features[1])


@pytest.mark.parametrize("container", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_frame_of_many_is_read(tmp_path, container):
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (51, 153, 204)]
    options = {"lossless": True} if container == "WEBP" else {}
    frames[0].save(tmp_path / f"a.{container}", container, save_all=True, append_images=frames[1:], **options)
    assert (read_image_files([tmp_path / f"a.{container}"]).resized([0], (8, 8)) == 51).all()


def test_palette_and_orientation_are_part_of_the_digest_of_an_image_in_memory():
    palettes = [Image.fromarray(np.zeros((4, 4), np.uint8)) for _ in range(2)]
    for level, image in zip((10, 200), palettes, strict=True):
        image.putpalette([level] * 3)
    turned_one = palettes[0].copy()
    turned_one.getexif()[0x0112] = 6
    clear = palettes[0].copy()
    clear.info["transparency"] = 0
    samples = read_image_files([*palettes, turned_one, clear])
    assert len({samples.digest(i) for i in range(4)}) == 4


def test_digest_of_bytes_is_that_of_their_file(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    read = io.BytesIO(data)
    read.seek(7)
    samples = read_image_files([tmp_path / "a.png", data, bytearray(data), memoryview(data), read])
    assert len({samples.digest(i) for i in range(5)}) == 1
    assert read.tell() == 7


def write_fifo(path):
    os.mkfifo(path)


def write_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(path.name)
    os.chdir(here)


def writer(data):
    return lambda path: path.write_bytes(data() if callable(data) else data)


def cut(container, share=0.5):
    def data():
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        whole = _encode(Image.fromarray(noise), container, {})
        return whole[: int(len(whole) * share)]

    return data


REFUSED = {
    "a FIFO": (write_fifo, "is not an image file but a FIFO"),
    "a socket": (write_socket, "is not an image file but a socket"),
    "a folder": (lambda path: path.mkdir(), "is not an image file but a folder"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "is not an image file but a device"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), "is missing"),
    "an empty file": (writer(b""), "is not an image that can be read"),
    "float64": (writer(lambda: tiff_bytes(GREY.astype(float))), "is not an image that can be read"),
    "int8": (writer(lambda: tiff_bytes(GREY.astype(np.int8))), r"\(TIFF, mode L\) holds signed bytes"),
    "int32 below 0": (
        writer(lambda: tiff_bytes(GREY.astype(np.int32) - 1000)),
        r"\(TIFF, mode I\): .* Got values from -1000 to .* pixel_range=\(low, high\)",
    ),
    "uint32 beyond int32": (
        writer(lambda: tiff_bytes(GREY.astype(np.uint32) * 2**24)), r"\(TIFF, mode I\): .* Got values",
    ),
    "float32 of no scale": (
        writer(lambda: tiff_bytes(GREY.astype(np.float32) / 64 - 2)), r"\(TIFF, mode F\): .* -2 to",
    ),
    "float32 with NaN": (
        writer(lambda: tiff_bytes(np.where(GREY > 9, GREY, np.nan).astype(np.float32))),
        r"\(TIFF, mode F\) contains NaN",
    ),
    "12 bits of colour in 16": (
        writer(lambda: png_bytes(COLOUR.astype(np.uint16) * 16, 16, 2)),
        r"holds 16 bits a channel, .* pixel_range=\(0, 65535\)",
    ),
    "a truncated PNG": (writer(cut("PNG")), "is a damaged image"),
    "a truncated JPEG": (writer(cut("JPEG")), "is a damaged image"),
    "a truncated TIFF": (writer(cut("TIFF")), "is not an image that can be read|is a damaged image"),
    "a truncated GIF": (writer(cut("GIF")), "is a damaged image"),
    "a truncated BMP": (writer(cut("BMP")), "is a damaged image"),
    "a truncated PPM": (writer(cut("PPM")), "is a damaged image"),
    "a truncated WebP": (writer(cut("WEBP")), "is not an image that can be read|is a damaged image"),
    "a decompression bomb": (
        writer(lambda: png_bytes(np.zeros((1, 1)), 8, 0).replace(*bomb(20_000))), "has too many pixels",
    ),
    "a small decompression bomb": (
        writer(lambda: png_bytes(np.zeros((1, 1)), 8, 0).replace(*bomb(10_000))), "has too many pixels",
    ),
}  # fmt: skip


def bomb(side):
    """Return the header of a PNG file of one pixel, and the one to put there."""

    def header(n):
        data = b"IHDR" + struct.pack(">IIBBBBB", n, n, 8, 0, 0, 0, 0)
        return data + struct.pack(">I", zlib.crc32(data))

    return header(1), header(side)


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore:.*:PIL.Image.DecompressionBombWarning")
@pytest.mark.filterwarnings("ignore:.* are read on the scale:UserWarning")
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_other_files_are_named(tmp_path, case):
    write, message = REFUSED[case]
    Image.fromarray(COLOUR).save(tmp_path / "good.png")
    write(tmp_path / "bad.img")
    with pytest.raises(ValueError, match=rf"^X: sample 1, '.*bad\.img',? {message}"):
        read_image_files([tmp_path / "good.png", tmp_path / "bad.img"], learn=True).resized([1], (8, 8))


def test_a_decompression_bomb_is_named_where_warnings_are_errors(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_bytes(np.zeros((1, 1)), 8, 0).replace(*bomb(10_000)))
    with pytest.raises(ValueError, match=r"sample 0, '.*bomb\.png', has too many pixels.*MAX_IMAGE_PIXELS"):
        read_image_files([tmp_path / "bomb.png"])


@pytest.mark.parametrize("write", [write_fifo, lambda path: path.mkdir()], ids=["FIFO", "folder"])
def test_no_sound_file_is_waited_for(tmp_path, write):
    write(tmp_path / "bad.wav")
    with pytest.raises(ValueError, match=r"sample 0, '.*bad\.wav', is not a sound file but a"):
        read_audio([tmp_path / "bad.wav"], None)


def sixteen(path, high, seed=0):
    values = np.random.default_rng(seed).integers(0, high + 1, (16, 16))
    values[0, 0] = high
    Image.fromarray(values.astype(np.uint16)).save(path)
    return values


@pytest.mark.parametrize(("high", "white"), [(200, 255), (1000, 1023), (4095, 4095), (12_000, 16_383)])
def test_range_of_deep_files_is_learned_in_fit_for_all_of_them(tmp_path, high, white):
    values = sixteen(tmp_path / "bright.png", high)
    dark = sixteen(tmp_path / "dark.png", high // 4, seed=1)
    files = [tmp_path / "dark.png", tmp_path / "bright.png"]
    with pytest.warns(
        UserWarning, match=rf"uint16 pixels from .* to {high} .* from 0 to {white}, .*pixel_range=\(0, {white}"
    ):
        samples = read_image_files(files, learn=True)
    assert samples.deep_range == (0, white)
    expected = np.rint(np.stack([dark, values]) * 255 / white)
    np.testing.assert_array_equal(samples.resized([0, 1], (16, 16))[..., 0], expected)
    again = read_image_files(files[:1], deep_range=samples.deep_range)
    np.testing.assert_array_equal(again.resized([0], (16, 16))[0, ..., 0], expected[0])
    assert again.digest(0) != read_image_files(files[:1]).digest(0)


def test_pixel_range_holds_for_files(tmp_path):
    values = sixteen(tmp_path / "deep.png", 4000)
    Image.fromarray((GREY > 99).astype(np.uint8)).save(tmp_path / "mask.png")
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(GREY > 99).save(tmp_path / "bits.png")
    wide = read_image_files([tmp_path / "deep.png", tmp_path / "grey.png"], (0.0, 4095.0), learn=True)
    np.testing.assert_array_equal(wide.resized([0], (16, 16))[0, ..., 0], np.rint(values / 4095 * 255))
    np.testing.assert_array_equal(wide.resized([1], (HEIGHT, WIDTH))[0], tiled(GREY))
    masks = read_image_files(
        [tmp_path / "mask.png", tmp_path / "bits.png", tmp_path / "grey.png"], (0.0, 1.0), learn=True
    )
    np.testing.assert_array_equal(masks.resized([0, 1], (HEIGHT, WIDTH)), [tiled((GREY > 99) * 255)] * 2)
    with pytest.raises(
        ValueError, match=r"sample 2, '.*grey\.png', \(PNG, mode L\) holds values from 0 to .* from 0 to 1;"
    ):
        masks.resized([2], (8, 8))


def test_deep_file_after_a_fit_that_saw_none(tmp_path):
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "bright.png")
    sixteen(tmp_path / "dark.png", 4095)
    (tmp_path / "real.tif").write_bytes(tiff_bytes(GREY.astype(np.float32)))
    samples = read_image_files([tmp_path / "bright.png", tmp_path / "dark.png", tmp_path / "real.tif"])
    np.testing.assert_array_equal(samples.resized([0], (HEIGHT, WIDTH))[0], tiled(GREY))
    for position, name in ((1, "dark.png"), (2, "real.tif")):
        with pytest.raises(
            ValueError, match=rf"sample {position}, '.*{name}', .* fit saw no image of more than 8 bits"
        ):
            samples.resized([position], (8, 8))


def test_scales_of_real_numbers_are_recognized(tmp_path):
    (tmp_path / "bytes.tif").write_bytes(tiff_bytes(GREY.astype(np.float32)))
    (tmp_path / "shares.tif").write_bytes(tiff_bytes(GREY.astype(np.float32) / 255))
    samples = read_image_files([tmp_path / "bytes.tif", tmp_path / "shares.tif"], learn=True)
    with pytest.raises(
        ValueError, match=r"sample 1, '.*shares\.tif', .* values from 0 to 0\.\d+\. Expected .* 0 to 255"
    ):
        samples.resized([1], (8, 8))


def test_estimators_keep_the_range_of_deep_files(tmp_path):
    paths = []
    for i in range(6):
        values = np.full((24, 24), 300 + 600 * (i % 2), np.uint16) + np.random.default_rng(i).integers(0, 99, (24, 24))
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(values.astype(np.uint16)).save(paths[-1])
    with pytest.warns(UserWarning, match="0 to 1023"):
        learned = TransferClassifier(image_size=32).fit(paths, [0, 1] * 3)
    assert learned.model_.format.deep_range == (0, 1023)
    said = TransferClassifier(image_size=32, pixel_range=(0, 1023)).fit(paths, [0, 1] * 3)
    np.testing.assert_allclose(learned.decision_function(paths[:1]), said.decision_function(paths)[:1], rtol=1e-5)
    assert (learned.predict(paths) == [0, 1] * 3).all()


def replace_in_place(path):
    path.write_bytes(path.read_bytes()[:-12] + b"\0" * 12)


def replace_by_renaming(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)


def grow(path):
    with path.open("ab") as file:
        file.write(b"\0" * 8)


@pytest.mark.parametrize("change", [replace_in_place, replace_by_renaming, grow])
@pytest.mark.parametrize(
    "use",
    [lambda s: s.digest(0), lambda s: s.resized([0], (8, 8)), lambda s: s.take(np.array([True, False])).digest(0)],
)
def test_image_file_that_changes_while_it_is_in_use(tmp_path, change, use):
    for name in "ab":
        Image.fromarray(COLOUR).save(tmp_path / f"{name}.png")
    samples = read_image_files([tmp_path / "a.png", tmp_path / "b.png"])
    change(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"sample 0, '.*a\.png', changed while it was in use.* run fit"):
        use(samples)
    samples.digest(1)


def test_image_file_that_changes_while_it_is_trained_on(tmp_path):
    paths = []
    for i in range(8):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((16, 16, 3), 200 * (i % 2), np.uint8)).save(paths[-1])
    changed = threading.Event()

    class Changing(os.PathLike):
        """A path whose file is replaced after it was looked at a few times."""

        looks = 0

        def __fspath__(self):
            self.looks += 1
            if self.looks == 40:
                Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(paths[0])
                changed.set()
            return str(paths[0])

        def __str__(self):
            return str(paths[0])

    clf = TransferClassifier("small_cnn", image_size=16, trainable="all", epochs=20, batch_size=4, random_state=0)
    with pytest.raises(ValueError, match=r"sample 0, '.*0\.png', changed while it was in use"):
        clf.fit([Changing(), *paths[1:]], [0, 1] * 4)
    assert changed.is_set()


def test_sound_file_that_changes_while_it_is_in_use(tmp_path):
    soundfile.write(tmp_path / "a.wav", waves(16_000, 1), 16_000)
    samples, longest = read_audio([tmp_path / "a.wav"], None)
    soundfile.write(tmp_path / "a.wav", waves(16_000, 1) / 2, 16_000)
    with pytest.raises(ValueError, match=r"sample 0, '.*a\.wav', changed while it was in use"):
        samples.digest(0)
    with pytest.raises(ValueError, match=r"sample 0, '.*a\.wav', changed while it was in use"):
        samples.read([0], LogMelSpectrogram(longest, None))


QUANTUM = {"PCM_S8": 1 / 128, "PCM_U8": 1 / 128, "PCM_16": 1 / 2**15, "PCM_24": 1 / 2**23, "PCM_32": 1 / 2**31,
           "FLOAT": 1e-6, "DOUBLE": 1e-7, "ULAW": 0.035, "ALAW": 0.035, "VORBIS": 0.05, "OPUS": 0.08}  # fmt: skip
"""How far samples may be from what was written, full scale being 1."""

SUBTYPES = {
    "WAV": ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
    "AIFF": ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
    "AU": ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
    "OGG": ("VORBIS",),
}
SOUNDS = {
    (container, subtype, channels, rate)
    for container, subtypes in SUBTYPES.items()
    for number, subtype in enumerate(subtypes)
    for channels, rate in ((1, 16_000), (2, (8_000, 22_050, 44_100, 48_000)[number % 4]))
} | {("OGG", "OPUS", channels, 48_000) for channels in (1, 2)}


def waves(rate, channels, seconds=0.5):
    """Two tones, of which the second is stronger in the second channel."""
    time = np.arange(round(rate * seconds)) / rate
    shares = np.array([[0.5, 0.2], [0.1, 0.7]])[:channels]
    tones = np.stack([np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1_000 * time + 1)])
    return (shares @ tones).T


@pytest.mark.parametrize("case", sorted(SOUNDS), ids=lambda case: ", ".join(map(str, case)))
def test_sound_files_are_read_as_a_player_plays_them(tmp_path, case):
    container, subtype, channels, rate = case
    path = tmp_path / f"a.{container.lower()}"
    soundfile.write(path, waves(rate, channels), rate, subtype=subtype, format=container)
    samples, longest = read_audio([path], None)
    read = samples.read([0], LogMelSpectrogram(longest, None))[0]
    loudest = np.abs(waves(rate, channels).mean(axis=1)).max()
    known = waves(16_000, channels).mean(axis=1) / loudest
    assert len(read) == len(known) == 8_000
    inner = slice(400, -400)  # a resampled clip rings where it begins and ends
    worst = np.abs(read - known)[inner].max()
    allowed = 2 * QUANTUM[subtype] / loudest + (2e-3 if rate != 16_000 else 1e-6)
    assert worst <= allowed, f"{case} differs by {worst:.2g} from the samples that were written; allowed: {allowed:.2g}"
