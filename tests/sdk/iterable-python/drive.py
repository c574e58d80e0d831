"""Makes calls of Iterable's API through iterablepythonwrapper, and prints one line of JSON: what each call answered.

    python drive.py --host http://127.0.0.1:PORT --key KEY

Its address is built in, but an attribute that can be assigned.
"""

import argparse
import json

from iterablepythonwrapper.client import IterableApi

ADA = "ada+1@example.com"
CART = [{"id": "i1", "name": "Shoe", "price": 9.5, "quantity": 2}]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    client = IterableApi(arguments.key)
    client.base_uri = arguments.host
    answers = {}

    def call(name, work):
        try:
            answer = work()
            answers[name] = {"status": answer["code"], "data": answer["body"]}
        except Exception as error:  # the client raises what it can't read
            answers[name] = {"failed": type(error).__name__, "data": str(error)}

    fields = {"plan": "pro", "address": {"city": "Ulm", "zip": "89073"}}
    call("update", lambda: client.update_user(email=ADA, user_id="ada", data_fields=fields, prefer_userId=True))
    call("bulk", lambda: client.bulk_update_user([{"email": "bad@"}, {"userId": "c"}]))
    call("byEmail", lambda: client.get_user_by_email(ADA))
    call("byUserId", lambda: client.get_users_by_userid("c"))
    call("byUserIdInPath", lambda: client.get_users_by_userid_userid("c"))
    call("nobody", lambda: client.get_user_by_email("nobody@example.com"))
    call("sent", lambda: client.get_sent_messages(email=ADA))
    call("track", lambda: client.track_event("Seen", event_id="e1", user_id="ada", created_at=1704164645, data_fields={"a": 1}))
    call("trackByEmail", lambda: client.track_event("Opened", event_id="e2", email=ADA, created_at=1704164646))
    call("events", lambda: client.get_events(ADA, limit=5))
    call("pushOpen", lambda: client.track_push_open(1, user_id="c", message_id="m1"))
    call("inAppOpen", lambda: client.track_in_app_open("m1", user_id="c"))
    call("inAppClick", lambda: client.track_in_app_click("m1", user_id="c", button_index=1))
    call("webPushClick", lambda: client.track_web_push_click(user_id="c", message_id="m1"))
    call("consume", lambda: client.consume_in_app_notification("m1", user_id="c"))
    call("inApp", lambda: client.get_in_app_messages(ADA, 5))
    device = {"token": "t1", "platform": "GCM", "applicationName": "app"}
    call("device", lambda: client.register_device_token(device, user_id="c"))
    call("browser", lambda: client.register_browser_token("b1", user_id="c"))
    call("disable", lambda: client.disable_device("t1", user_id="c"))
    call("cart", lambda: client.update_cart({"userId": "c"}, CART))
    call("purchase", lambda: client.track_purchase({"userId": "c"}, CART, 19.0))
    call("subscriptions", lambda: client.update_subscriptions(ADA, unsubscribed_channel_ids=[2]))
    call("bulkSubscriptions", lambda: client.bulk_update_subscriptions([{"userId": "c", "emailListIds": [3]}]))
    call("updateEmail", lambda: client.update_email("x@example.com", current_email="nobody@example.com"))
    call("delete", lambda: client.delete_user_by_email("nobody@example.com"))
    print(json.dumps(answers))


main()
