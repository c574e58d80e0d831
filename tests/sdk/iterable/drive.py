"""Makes calls of Iterable's API through the published client for Python, and prints one line of JSON: what each call answered.

    python drive.py --host http://127.0.0.1:PORT --key KEY
"""

import argparse
import json

from iterable import Iterable

ADA = {"email": "ada+1@example.com", "user_id": "ada"}
CART = [{"id": "i1", "name": "Shoe", "price": 9.5, "quantity": 2}]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    client = Iterable(arguments.key, base_uri=arguments.host)
    answers = {}

    def call(name, work):
        try:
            answer = work()
            answers[name] = {"status": answer.status_code, "data": answer.data}
        except Exception as error:  # the client raises what the service refuses
            answers[name] = {"failed": type(error).__name__, "data": error.args[0] if error.args else None}

    users, events = client.users, client.events
    fields = {"plan": "pro", "address": {"city": "Ulm", "zip": "89073"}}
    call("update", lambda: users.update(data_fields=fields, **ADA))
    call("bulk", lambda: users.bulk_update([{"email": "bad@"}, {"userId": "c"}]))
    call("byEmail", lambda: users.get(email=ADA["email"]))
    call("byUserId", lambda: users.get(user_id="c"))
    call("nobody", lambda: users.get(email="nobody@example.com"))
    call("nobodyById", lambda: users.get(user_id="nobody"))
    call("fields", users.get_fields)
    call("sent", lambda: users.get_sent_messages(email=ADA["email"]))
    call("track", lambda: events.track("Seen", user_id="ada", event_id="e1", created_at=1704164645, data_fields={"a": 1}))
    call("trackByEmail", lambda: events.track("Opened", email=ADA["email"], event_id="e2", created_at=1704164646))
    call("events", lambda: events.get(ADA["email"]))
    call("pushOpen", lambda: events.track_push_open(1, user_id="c", message_id="m1"))
    call("inAppOpen", lambda: events.track_in_app_open("m1", user_id="c"))
    call("inAppClick", lambda: events.track_in_app_click("m1", user_id="c"))
    call("webPushClick", lambda: events.track_web_push_click(user_id="c", message_id="m1"))
    call("consume", lambda: events.consume_in_app_notification("m1", user_id="c"))
    device = {"token": "t1", "platform": "GCM", "applicationName": "app"}
    call("device", lambda: users.register_device_token(device, user_id="c"))
    call("browser", lambda: users.register_browser_token("b1", user_id="c"))
    call("disable", lambda: users.disable_device("t1", user_id="c"))
    call("cart", lambda: client.commerce.update_cart({"userId": "c"}, CART))
    call("purchase", lambda: client.commerce.track_purchase({"userId": "c"}, CART, 19))
    lists = client.lists
    call("createList", lambda: lists.create("news"))
    list_id = answers["createList"]["data"]["listId"]
    call("subscribe", lambda: lists.add_subscribers(list_id, {"email": ADA["email"]}))
    call("lists", lists.list)
    call("listSize", lambda: lists.user_count(list_id))
    call("unsubscribe", lambda: lists.remove_subscribers_to_list(list_id, [{"email": ADA["email"]}]))
    call("deleteList", lambda: lists.delete(list_id))
    call("updateEmail", lambda: users.update_email("nobody@example.com", "x@example.com"))
    call("delete", lambda: users.delete(email="nobody@example.com"))
    print(json.dumps(answers))


main()
