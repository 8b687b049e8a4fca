"""Draws the emblem of the invented firm as a PNG on standard output (no libraries)."""
import struct, sys, zlib

W, H = 240, 80

def pixel(x, y):
    dx, dy = x - 40, y - 40
    r = (dx * dx + dy * dy) ** 0.5
    if 28 <= r <= 34:
        return (20, 70, 120)
    if r < 28:
        return (240 - int(r * 3), 190, 60 + int(r * 4))
    if 84 < x < 232 and (abs(y - 30) < 4 or abs(y - 50) < 2):
        return (20, 70, 120)
    return (255, 255, 255)

raw = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(W)) for y in range(H))

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

sys.stdout.buffer.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0))
                        + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))
