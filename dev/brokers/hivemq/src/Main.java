import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import java.nio.file.Path;

/**
 * HiveMQ CE in a directory, for tests: everybody may do everything.
 *
 * <p>Usage: {@code Main DIRECTORY}, with {@code conf/config.xml} in it.
 */
final class Main {
    public static void main(final String[] args) throws Exception {
        final Path directory = Path.of(args[0]);
        final EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder()
                .withConfigurationFolder(directory.resolve("conf"))
                .withDataFolder(directory.resolve("data"))
                .withExtensionsFolder(directory.resolve("extensions"))
                .withEmbeddedExtension(EmbeddedExtension.builder()
                        .withId("everybody")
                        .withName("everybody")
                        .withVersion("1")
                        .withExtensionMain(new Everybody())
                        .build())
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                broker.close();
            } catch (final Exception error) {
                error.printStackTrace();
            }
        }));
        broker.start().join();
    }

    private static final class Everybody implements ExtensionMain {
        @Override
        public void extensionStart(final ExtensionStartInput input, final ExtensionStartOutput output) {
            Services.securityRegistry().setAuthenticatorProvider(ignored ->
                    (SimpleAuthenticator) (connect, answer) -> answer.authenticateSuccessfully());
        }

        @Override
        public void extensionStop(final ExtensionStopInput input, final ExtensionStopOutput output) {}
    }
}
