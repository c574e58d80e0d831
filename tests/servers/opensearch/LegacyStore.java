import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/** One node with its REST API on 127.0.0.1: LegacyStore FOLDER PORT. */
public final class LegacyStore extends Node {
  private LegacyStore(Settings settings, List<Class<? extends Plugin>> plugins) {
    super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "legacy"), plugins, false);
  }

  public static void main(String[] arguments) throws Exception {
    Settings settings =
        Settings.builder()
            .put("path.home", arguments[0])
            .put("cluster.name", "legacy")
            .put("node.name", "legacy")
            .put("discovery.type", "single-node")
            .put("http.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("transport.host", "127.0.0.1")
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            // A test machine's disk may well be nearly full.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
    new LegacyStore(settings, List.of(Netty4Plugin.class)).start();
    Thread.currentThread().join();
  }
}
