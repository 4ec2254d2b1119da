import json
import unittest

from componentize_py_types import Err

import testing
from plugin import Lifecycle, Transform


class PluginTest(unittest.TestCase):
    def test_the_bare_data_is_sent_with_the_topic_in_a_header(self):
        Lifecycle().init('{"header": "x-topic"}')
        outcome = Transform().transform(testing.Event("orders/created", {"total": 5}), testing.Endpoint())
        self.assertEqual(json.loads(outcome.value.body), {"total": 5})
        header = outcome.value.set_headers[0]
        self.assertEqual((header.name, header.value), ("x-topic", b"orders/created"))

    def test_a_bad_config_is_refused_with_its_field(self):
        with self.assertRaises(Err) as refused:
            Lifecycle().init('{"header": 7}')
        self.assertEqual(refused.exception.value, "`header` must be a text, not 7")
