// Makes tracking calls through Segment's published Java SDK, as an application would.
//
//   java -cp DIR:DIR/* Drive --sdk analytics-java --host http://127.0.0.1:PORT --write-key KEY [--timeout-seconds 60] < plan.ndjson
//
// DIR holds the jars of pom.xml beside this file, and this class. tests/sdk/README.md describes the plan, the answer line and the
// exit status.
//
// What this SDK does in its own way: ids are texts; a screen has no category, which is left out and counted; null is left out unless the application hands it a GsonBuilder that keeps it, as here;
// `library` stands in the batch's context, never in a call's; batches go to /v1/import.

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.ToNumberPolicy;
import com.google.gson.reflect.TypeToken;
import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.AliasMessage;
import com.segment.analytics.messages.GroupMessage;
import com.segment.analytics.messages.IdentifyMessage;
import com.segment.analytics.messages.Message;
import com.segment.analytics.messages.MessageBuilder;
import com.segment.analytics.messages.PageMessage;
import com.segment.analytics.messages.ScreenMessage;
import com.segment.analytics.messages.TrackMessage;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

public class Drive {
  // Numbers keep the digits of the plan.
  static final Gson PLAN =
      new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.LAZILY_PARSED_NUMBER).serializeNulls().create();
  static final AtomicInteger delivered = new AtomicInteger();
  static final List<String> errors = Collections.synchronizedList(new ArrayList<>());
  static final List<String> undelivered = Collections.synchronizedList(new ArrayList<>());

  public static void main(String[] arguments) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int place = 0; place + 1 < arguments.length; place += 2) {
      options.put(arguments[place].substring(2), arguments[place + 1]);
    }
    Analytics analytics =
        Analytics.builder(options.get("write-key"))
            .endpoint(options.get("host") + "/")
            .flushInterval(1, TimeUnit.SECONDS)
            .gsonBuilder(new GsonBuilder().serializeNulls())
            .callback(new Told())
            .build();
    int sent = 0;
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      try {
        analytics.enqueue(message(fields(line)));
        sent += 1;
      } catch (RuntimeException error) {
        errors.add("refused: " + error);
      }
    }
    analytics.flush();
    String seconds = options.getOrDefault("timeout-seconds", "60");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.parseLong(seconds));
    while (delivered.get() + undelivered.size() < sent && System.nanoTime() < deadline) {
      Thread.sleep(20);
    }
    analytics.shutdown();
    JsonObject answer = new JsonObject();
    answer.addProperty("sent", sent);
    answer.addProperty("delivered", delivered.get());
    answer.add("errors", PLAN.toJsonTree(errors));
    answer.add("undelivered", PLAN.toJsonTree(undelivered));
    JsonObject omitted = new JsonObject();
    if (categories.get() > 0) omitted.addProperty("screen.category", categories.get());
    answer.add("omitted", omitted);
    System.out.println(answer);
    System.exit(errors.isEmpty() && delivered.get() == sent ? 0 : 1);
  }

  static class Told implements Callback {
    public void success(Message message) {
      delivered.incrementAndGet();
    }

    public void failure(Message message, Throwable error) {
      undelivered.add(message.messageId());
      errors.add("not delivered: " + error);
    }
  }

  static Map<String, Object> fields(String line) {
    return PLAN.fromJson(line, new TypeToken<Map<String, Object>>() {}.getType());
  }

  // A screen has no category.
  static final AtomicInteger categories = new AtomicInteger();

  static MessageBuilder<?, ?> message(Map<String, Object> call) {
    MessageBuilder<?, ?> builder = ofKind(call);
    if (call.get("user_id") != null) builder.userId(text(call, "user_id"));
    if (call.get("anonymous_id") != null) builder.anonymousId(text(call, "anonymous_id"));
    if (call.get("message_id") != null) builder.messageId(text(call, "message_id"));
    if (call.get("context") != null) builder.context(object(call, "context"));
    if (call.get("timestamp") != null) builder.timestamp(Date.from(Instant.parse(text(call, "timestamp"))));
    if (call.get("integrations") != null) {
      object(call, "integrations")
          .forEach(
              (name, value) -> {
                if (value instanceof Boolean) builder.enableIntegration(name, (Boolean) value);
              });
    }
    return builder;
  }

  static MessageBuilder<?, ?> ofKind(Map<String, Object> call) {
    String kind = text(call, "call");
    switch (kind) {
      case "identify":
        return IdentifyMessage.builder().traits(object(call, "traits"));
      case "track":
        return TrackMessage.builder(text(call, "event")).properties(object(call, "properties"));
      case "page":
        PageMessage.Builder page = PageMessage.builder(text(call, "name")).properties(object(call, "properties"));
        return call.get("category") == null ? page : page.category(text(call, "category"));
      case "screen":
        if (call.get("category") != null) categories.incrementAndGet();
        return ScreenMessage.builder(text(call, "name")).properties(object(call, "properties"));
      case "group":
        return GroupMessage.builder(text(call, "group_id")).traits(object(call, "traits"));
      case "alias":
        return AliasMessage.builder(text(call, "previous_id"));
      default:
        throw new IllegalArgumentException("unknown call " + kind);
    }
  }

  static String text(Map<String, Object> call, String field) {
    Object value = call.get(field);
    return value == null ? null : value.toString();
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Map<String, Object> call, String field) {
    Object value = call.get(field);
    return value == null ? new HashMap<>() : (Map<String, Object>) value;
  }
}
