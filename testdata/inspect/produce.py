"""Writes the documents of the corpus that real programs make. See README.md.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python produce.py [prefix of the path ...]
"""

import os
import sys

from libraries import LIBRARIES
from office import convert
from office_documents import D

HERE = os.path.dirname(os.path.abspath(__file__))


def wanted(path):
    return len(sys.argv) == 1 or any(path.startswith(prefix) for prefix in sys.argv[1:])


def save(path, data):
    path = os.path.join(HERE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def main():
    for path, data in convert({path: source for path, source in D.items() if wanted(path)}).items():
        save(path, data)
    for path, make in LIBRARIES.items():
        if wanted(path):
            save(path, make())


main()
