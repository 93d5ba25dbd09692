"""One node for each entry, a member of two rings: by use and by age. A dict finds the node of a key.

Each entry keeps when it was put, and its age is asked. Expired entries go one by one when a call meets the end of the
ring of ages.

Design: intrusive doubly linked lists with a sentinel; counters added up in a dict.
Breaks: none
"""

import time
from types import SimpleNamespace


class Node:
    __slots__ = ("key", "links", "since", "value")

    def __init__(self, key=None):
        self.key = key
        self.links = {"use": [self, self], "age": [self, self]}  # the ones before and after

    def leave(self, ring):
        before, after = self.links[ring]
        before.links[ring][1], after.links[ring][0] = after, before

    def join(self, ring, end):
        last = end.links[ring][0]
        self.links[ring] = [last, end]
        last.links[ring][1] = end.links[ring][0] = self


class LRU:
    def __init__(self, capacity, *, ttl=None, clock=None):
        if capacity <= 0 or (ttl is not None and (ttl <= 0 or ttl - ttl != 0)):
            raise ValueError("capacity and ttl are positive and finite")
        self.capacity, self.ttl, self.clock = capacity, ttl, clock or time.monotonic
        self.nodes = {}
        self.end = Node()
        self.count = dict.fromkeys(("hits", "misses", "insertions", "evictions", "expirations"), 0)

    def remove(self, node):
        del self.nodes[node.key]
        node.leave("use")
        node.leave("age")
        node.links = None

    def bury(self):
        if self.ttl is None:
            return
        now = self.clock()
        while (node := self.end.links["age"][1]) is not self.end and now - node.since >= self.ttl:
            self.remove(node)
            self.count["expirations"] += 1

    def find(self, key):
        self.bury()
        return self.nodes.get(key)

    def renew(self, node, *rings):
        for ring in rings:
            node.leave(ring)
            node.join(ring, self.end)

    def get(self, key, default=None):
        if (node := self.find(key)) is None:
            self.count["misses"] += 1
            return default
        self.count["hits"] += 1
        self.renew(node, "use")
        return node.value

    def peek(self, key, default=None):
        node = self.find(key)
        return default if node is None else node.value

    def put(self, key, value):
        if (node := self.find(key)) is None:
            self.count["insertions"] += 1
            while len(self.nodes) >= self.capacity:
                self.remove(self.end.links["use"][1])
                self.count["evictions"] += 1
            node = self.nodes[key] = Node(key)
        node.value, node.since = value, self.clock()
        self.renew(node, "use", "age")

    def delete(self, key):
        node = self.find(key)
        if node is not None:
            self.remove(node)
        return node is not None

    def __len__(self):
        self.bury()
        return len(self.nodes)

    def stats(self):
        self.bury()
        asked, put = self.count["hits"] + self.count["misses"], self.count["insertions"]
        return SimpleNamespace(
            **self.count,
            hit_ratio=self.count["hits"] / asked if asked else None,
            eviction_rate=self.count["evictions"] / put if put else None,
        )
