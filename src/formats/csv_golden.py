"""csv_golden.json: what Python's csv module, when strict, makes of tricky and of random delimited texts.

    python3 src/formats/csv_golden.py > src/formats/csv_golden.json

Empty lines are left out of rows, as csv.DictReader leaves them out. rows is null where Python refuses the text, where rows
differ in their number of cells, or where there is none: such texts must be refused. CR alone as a line's end is not here:
attune takes it for text.
"""

import csv
import io
import json
import random

TRICKY = {
    "plain": "a,b\n1,2\n",
    "no end of the last line": "a,b\n1,2",
    "crlf": "a,b\r\n1,2\r\n",
    "crlf and lf": "a,b\r\n1,2\n3,4\r\n",
    "quoted": '"a","b"\n"1","2"\n',
    "quoted at the end": 'a,"b"',
    "quoted at the end, cr": 'a,"b"\r',
    "cr at the end": "a,b\r",
    "doubled quotes": '"a ""b"" c",d\n',
    "only quotes": '"""","""""",""\n',
    "line ends inside": '"a\nb\r\nc\n\nd",e\nf,g\n',
    "delimiters inside": '"a,b",",",c\n',
    "empty cells": ",,\n,,\n",
    "empty last cell": "a,\nb,\n",
    "empty last cell at the end": "a,b\nc,",
    "quoted empty": '"",""\n',
    "one quoted empty": '""\n',
    "quote inside unquoted": 'a"b,c""d,"e"\n',
    "quote after space": 'a, "b"\n',
    "spaces are text": " a , b \n",
    "empty lines": "\n\na,b\n\r\n\nc,d\n\n",
    "only empty lines": "\n\r\n\n",
    "nothing": "",
    "text after a quote": '"a"b,c\n',
    "space after a quote": '"a" ,c\n',
    "unclosed": 'a,"b\nc,d\n',
    "unclosed at the end": 'a,"',
    "unclosed after doubled": 'a,"b""',
    "too many cells": "a,b\n1,2,3\n",
    "too few cells": "a,b\n1\n",
    "one column": "a\nb\nc\n",
    "many columns": ",".join(map(str, range(300))) + "\n",
    "two quoted cells over lines": '"a\nb","c\nd"\n"e","f\n"\n',
    "other scripts": "\u00e9\u4e2d,\U0001f600\n\u0430,\u05d0\n",
    "other line ends are text": "a\u0085b\u2028c,d\x0be\x0cf\n",
    "tab": "a\tb,c\n",
    "semicolons are text": "a;b,c|d\n",
    "backslash is text": 'a\\,"b\\"\n',
}
TABS = {
    "tabs": "a\tb\nc\td\n",
    "quotes are text": 'a\t"b\n"c"\t""\n',
    "commas": "a,b\tc\n",
    "empty": "\t\n\t\n",
    "too few": "a\tb\nc\n",
}


def parse(text, **how):
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True, **how) if row]
    except csv.Error:
        return None
    return rows if rows and len({len(row) for row in rows}) == 1 else None


def case(name, text, **how):
    return {
        "name": name,
        "delimiter": {"\t": "tab"}.get(how["delimiter"], how["delimiter"]),
        "text": text,
        "rows": parse(text, **how),
    }


def some(alphabet, rng, least, most):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, most)))


def main():
    rng = random.Random(1)
    cases = [case(name, text, delimiter=",") for name, text in TRICKY.items()]
    cases += [case(name, text, delimiter="\t", quoting=csv.QUOTE_NONE) for name, text in TABS.items()]
    for i in range(150):  # any text
        text = some(["a", "b", ",", ",", '"', '"', "\n", "\r\n", ";", "\u00e9", '","', '"\n'], rng, 0, 16)
        cases.append(case(f"any {i}", text, delimiter=","))
    for i in range(60):  # what a writer makes of any cells
        out, columns, delimiter = io.StringIO(), rng.randint(1, 4), rng.choice(",;|")
        writer = csv.writer(out, delimiter=delimiter, lineterminator=rng.choice(["\n", "\r\n"]),
                            quoting=rng.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
        cells = [[some(["a", " ", ",", ";", "|", '"', "\n", "\r\n", "\u00e9"], rng, 0, 6) for _ in range(columns)]
                 for _ in range(rng.randint(1, 5))]
        writer.writerows(cells)
        golden = case(f"written {i}", out.getvalue(), delimiter=delimiter)
        assert golden["rows"] == cells, (golden, cells)
        cases.append(golden)
    print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")


main()
