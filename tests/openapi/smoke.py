"""Uses the client that `openapi-python-client` made of the document: creates an endpoint, sends an event, waits until it is
delivered and reads the attempt.

smoke.py BASE KEY URL -> `delivered EVENT_ID STATUS`
"""

import sys
import time

from hookway_client import AuthenticatedClient
from hookway_client.api.deliveries import get_delivery, list_deliveries
from hookway_client.api.endpoints import create_endpoint, get_endpoint
from hookway_client.api.events import send_events
from hookway_client.models import AcceptedEvent, DeliveryRecord, Endpoint, NewEndpoint, NewEvent, Problem


def expect(answer, kind):
    if not isinstance(answer, kind):
        sys.exit(f"expected {kind.__name__}, got {answer!r}")
    return answer


def delivered(client, event_id):
    while True:
        page = list_deliveries.sync(client=client, event_id=event_id)
        for row in page.data:
            if row.status == "delivered":
                return row
        time.sleep(0.02)


def main():
    base, key, url = sys.argv[1:]
    client = AuthenticatedClient(base_url=base, token=key)
    expect(create_endpoint.sync(client=client, body=NewEndpoint(url=url, topics=["orders/*"])), Endpoint)
    event = NewEvent(event="orders/created", data={"total": 99})
    sent = expect(send_events.sync(client=client, body=event), AcceptedEvent)
    row = delivered(client, sent.event_id)
    record = expect(get_delivery.sync(client=client, id=row.id), DeliveryRecord)
    print(f"delivered {record.event_id} {record.attempt_log[0].status}")
    missing = expect(get_endpoint.sync(client=client, id="ep_1"), Problem)
    if missing.code != "not_found":
        sys.exit(f"what is not there is not found: {missing!r}")


main()
