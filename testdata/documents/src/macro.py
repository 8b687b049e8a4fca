"""Turns a DOCX into a DOCM with an invented VBA project: macro.py IN.docx OUT.docm

The project is a compound file (MS-CFB, version 3) with the streams that MS-OVBA asks for:
VBA/dir, VBA/_VBA_PROJECT, VBA/Modulo1 and PROJECT. The procedure AutoOpen only shows a message.
"""
import struct, sys, zipfile

SECTOR, MINI = 512, 64
FREE, END, FATSECT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

SOURCE = ('Attribute VB_Name = "Modulo1"\r\n'
          "Sub AutoOpen()\r\n"
          '    MsgBox "Questa macro cambierebbe il testo."\r\n'
          '    ActiveDocument.Range.InsertAfter "Testo aggiunto all\'apertura"\r\n'
          "End Sub\r\n").encode("cp1252")

def compress(data):
    """MS-OVBA 2.4.1 compression with literal tokens only (the source is under 3,600 bytes)."""
    tokens = b"".join(b"\0" + data[i:i + 8] for i in range(0, len(data), 8))
    assert len(tokens) <= 4096
    return b"\x01" + struct.pack("<H", 0xB000 | (len(tokens) - 1)) + tokens

def record(kind, data):
    return struct.pack("<HI", kind, len(data)) + data

def dir_stream():
    name, module = b"Progetto", b"Modulo1"
    wide = module.decode().encode("utf-16le")
    out = record(0x01, struct.pack("<I", 3)) + record(0x02, struct.pack("<I", 0x0410)) + record(0x14, struct.pack("<I", 0x0410))
    out += record(0x03, struct.pack("<H", 1252)) + record(0x04, name)
    out += record(0x05, b"") + record(0x40, b"") + record(0x06, b"") + record(0x3D, b"")
    out += record(0x07, struct.pack("<I", 0)) + record(0x08, struct.pack("<I", 0))
    out += struct.pack("<HIIH", 0x09, 4, 1, 1) + record(0x0C, b"") + record(0x3C, b"")
    out += record(0x0F, struct.pack("<H", 1)) + record(0x13, struct.pack("<H", 0xFFFF))
    out += record(0x19, module) + record(0x47, wide) + record(0x1A, module) + record(0x32, wide)
    out += record(0x1C, b"") + record(0x48, b"") + record(0x31, struct.pack("<I", 0))
    out += record(0x1E, struct.pack("<I", 0)) + record(0x2C, struct.pack("<H", 0xFFFF))
    out += struct.pack("<HI", 0x21, 0) + struct.pack("<HI", 0x2B, 0)
    return compress(out + struct.pack("<HI", 0x10, 0))

PROJECT = (b'ID="{11111111-2222-3333-4444-555555555555}"\r\nModule=Modulo1\r\nName="Progetto"\r\n'
           b'HelpContextID="0"\r\nVersionCompatible32="393222000"\r\n')

def entry(name, kind, left=FREE, right=FREE, child=FREE, start=END, size=0):
    wide = name.encode("utf-16le")
    return (wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide) + 2, kind, 1, left, right, child) + bytes(16 + 4 + 16)
            + struct.pack("<IQ", start, size))

def compound():
    """A compound file whose streams all lie in the mini stream (each is under 4,096 bytes)."""
    streams = [("PROJECT", PROJECT), ("dir", dir_stream()), ("Modulo1", compress(SOURCE)), ("_VBA_PROJECT", b"\xcc\x61\xff\xff\0\0\0")]
    mini, minifat, at = b"", [], {}
    for name, data in streams:
        first, n = len(minifat), -(-len(data) // MINI)
        at[name] = (first, len(data))
        minifat += [first + i + 1 for i in range(n - 1)] + [END]
        mini += data.ljust(n * MINI, b"\0")
    # Siblings are ordered by length, then by name: dir < Modulo1 < _VBA_PROJECT; VBA < PROJECT.
    entries = [entry("Root Entry", 5, child=1, start=4, size=len(mini)),
               entry("PROJECT", 2, left=2, start=at["PROJECT"][0], size=at["PROJECT"][1]),
               entry("VBA", 1, child=4),
               entry("dir", 2, start=at["dir"][0], size=at["dir"][1]),
               entry("Modulo1", 2, left=3, right=5, start=at["Modulo1"][0], size=at["Modulo1"][1]),
               entry("_VBA_PROJECT", 2, start=at["_VBA_PROJECT"][0], size=at["_VBA_PROJECT"][1])]
    empty = bytes(64) + struct.pack("<HBBIII", 0, 0, 0, FREE, FREE, FREE) + bytes(36) + struct.pack("<IQ", 0, 0)
    entries += [empty] * (8 - len(entries))
    n = -(-len(mini) // SECTOR)
    fat = [FATSECT, 2, END, END] + [4 + i + 1 for i in range(n - 1)] + [END]  # fat, directory ×2, minifat, mini stream
    fat += [FREE] * (128 - len(fat))
    minifat += [FREE] * (128 - len(minifat))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 3, 1, END, 0) + struct.pack("<I", 0) + struct.pack("<I", FREE) * 108
    assert len(header) == SECTOR
    return header + struct.pack("<128I", *fat) + b"".join(entries) + struct.pack("<128I", *minifat) + mini.ljust(n * SECTOR, b"\0")

src, dst = sys.argv[1], sys.argv[2]
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
with zipfile.ZipFile(src) as z, zipfile.ZipFile(dst, "w", zipfile.ZIP_DEFLATED) as out:
    for info in z.infolist():
        data = z.read(info)
        if info.filename == "[Content_Types].xml":
            data = data.replace(MAIN.encode(), b"application/vnd.ms-word.document.macroEnabled.main+xml")
            data = data.replace(b"</Types>", b'<Override PartName="/word/vbaProject.bin" ContentType="application/vnd.ms-office.vbaProject"/></Types>')
        if info.filename == "word/_rels/document.xml.rels":
            data = data.replace(b"</Relationships>", b'<Relationship Id="rIdVBA" Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" Target="vbaProject.bin"/></Relationships>')
        out.writestr(zipfile.ZipInfo(info.filename, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    out.writestr(zipfile.ZipInfo("word/vbaProject.bin", (2026, 1, 1, 0, 0, 0)), compound(), zipfile.ZIP_DEFLATED)
