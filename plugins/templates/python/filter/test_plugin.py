import unittest

from componentize_py_types import Err
from wit_world.exports.filter import Verdict_Deliver, Verdict_Drop

import testing
from plugin import Filter, Lifecycle


class PluginTest(unittest.TestCase):
    def test_small_orders_are_dropped(self):
        Lifecycle().init('{"minimum": 100}')
        verdict = lambda data: Filter().filter(testing.Event("orders/created", data), testing.Endpoint())
        self.assertEqual(verdict({"total": 100}), Verdict_Deliver())
        for data in [{"total": 99.5}, {"total": "150"}, []]:
            self.assertEqual(verdict(data), Verdict_Drop("the total is below 100"))

    def test_a_bad_config_is_refused_with_its_field(self):
        for config, expected in [
            ('{"minimum": "many"}', '`minimum` must be a number, not "many"'),
            ("{}", "`minimum` is missing"),
            ('{"minimun": 1}', "unknown field `minimun`, expected `minimum`"),
        ]:
            with self.assertRaises(Err) as refused:
                Lifecycle().init(config)
            self.assertEqual(refused.exception.value, expected)
