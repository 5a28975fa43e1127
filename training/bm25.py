"""BM25 (k1 0.9, b 0.4) over words and Chinese character pairs; no stemming, no stop words."""
import re
from collections import Counter, defaultdict

import numpy as np

WORD = re.compile("[a-z0-9\u00e0-\u024f]+|[\u3400-\u9fff]+")


def terms(text):
    """Lower-cased words; a run of Chinese gives its overlapping pairs of characters (one alone stands for itself)."""
    for run in WORD.findall(text.lower()):
        if run[0] < "\u3400" or len(run) == 1:
            yield run
        else:
            yield from (run[i:i + 2] for i in range(len(run) - 1))


class BM25:
    def __init__(self, passages, k1=0.9, b=0.4):
        found = defaultdict(lambda: ([], []))
        lengths = np.zeros(len(passages))
        for i, passage in enumerate(passages):
            counts = Counter(terms(passage))
            lengths[i] = sum(counts.values())
            for term, count in counts.items():
                found[term][0].append(i)
                found[term][1].append(count)
        self.size = len(passages)
        norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1))
        self.postings = {}
        for term, (where, count) in found.items():
            where, count = np.array(where), np.array(count, float)
            idf = np.log(1 + (self.size - len(where) + 0.5) / (len(where) + 0.5))
            self.postings[term] = where, idf * count * (k1 + 1) / (count + norm[where])

    def scores(self, query, common=None):
        """A score for each passage; terms in more than `common` passages are left out when that is given."""
        total = np.zeros(self.size)
        for term in terms(query):
            where, weight = self.postings.get(term, (None, None))
            if where is not None and (common is None or len(where) <= common):
                total[where] += weight
        return total

    def top(self, query, count, common=None):
        """(indices, scores) of the best passages that share a term with the query, best first; ties by index."""
        total = self.scores(query, common)
        best = np.argpartition(-total, min(count, self.size - 1))[:count] if self.size > count else np.arange(self.size)
        best = best[np.lexsort((best, -total[best]))]
        best = best[total[best] > 0]
        return best, total[best]
