import unittest

from componentize_py_types import Err

from topic_matcher import Matcher


class PluginTest(unittest.TestCase):
    def test_a_topic_is_accepted_by_how_it_begins(self):
        matcher = Matcher.compile(["orders/", "stock/updated"])
        for topic in ["orders/created", "stock/updated"]:
            self.assertTrue(matcher.matches(topic), topic)
        for topic in ["returns/created", "orders"]:
            self.assertFalse(matcher.matches(topic), topic)

    def test_an_empty_pattern_is_refused_with_its_number(self):
        with self.assertRaises(Err) as refused:
            Matcher.compile(["orders/", ""])
        self.assertTrue(refused.exception.value.startswith("pattern 2 is empty"))
