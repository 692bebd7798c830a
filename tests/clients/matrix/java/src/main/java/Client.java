// Makes the calls that ../../matrix.py asks for with the AWS SDK for Java: `sync`, or `netty` (HTTP/2, as the SDK chooses for
// Bedrock) or `netty-http1`. ../README.md has the conversation. The asynchronous client alone has the operations that
// stream.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.document.Document;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.ProtocolNegotiation;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.StandardRetryStrategy;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.ApplyGuardrailRequest;
import software.amazon.awssdk.services.bedrockruntime.model.BidirectionalOutputPayloadPart;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.CountTokensRequest;
import software.amazon.awssdk.services.bedrockruntime.model.GetAsyncInvokeRequest;
import software.amazon.awssdk.services.bedrockruntime.model.GuardrailContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeGuardrailChecksRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelResponse;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamInput;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithBidirectionalStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithResponseStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithResponseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.ListAsyncInvokesRequest;
import software.amazon.awssdk.services.bedrockruntime.model.Message;
import software.amazon.awssdk.services.bedrockruntime.model.PayloadPart;
import software.amazon.awssdk.services.bedrockruntime.model.StartAsyncInvokeRequest;
import software.amazon.awssdk.utils.async.SimplePublisher;

final class Client implements AutoCloseable {
  private static final String PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
  private static final String ECHO = "understudy.echo-v1:0";
  private static final String INVOCATION = "arn:aws:bedrock:us-east-1:123456789012:async-invoke/aaaaaaaaaaa1";
  private static final Duration PATIENCE = Duration.ofSeconds(120);

  private final BedrockRuntimeClient sync;  // one of the two is null
  private final BedrockRuntimeAsyncClient async;

  private Client(String kind, String endpoint, int attempts, String header) {
    boolean netty = !kind.equals("sync");
    sync = netty ? null : configure(BedrockRuntimeClient.builder(), endpoint, attempts, header).build();
    async = netty ? configure(BedrockRuntimeAsyncClient.builder(), endpoint, attempts, header)
                        .httpClientBuilder(netty(kind, endpoint))
                        .build()
                  : null;
  }

  private static NettyNioAsyncHttpClient.Builder netty(String kind, String endpoint) {
    var made = NettyNioAsyncHttpClient.builder().readTimeout(PATIENCE);
    // The simulator answers no PING while it works on 20 MB, which this client takes for a dead HTTP/2 connection.
    boolean http1 = kind.equals("netty-http1") || endpoint.equals(System.getenv("SIMULATOR_URL"));
    return http1 ? made.protocol(Protocol.HTTP1_1).protocolNegotiation(ProtocolNegotiation.ASSUME_PROTOCOL) : made;
  }

  private static <B extends AwsClientBuilder<B, ?>> B configure(B builder, String endpoint, int attempts, String header) {
    return builder.endpointOverride(URI.create(endpoint))
        .region(Region.US_EAST_1)
        .credentialsProvider(StaticCredentialsProvider.create(
            AwsBasicCredentials.create("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")))
        .overrideConfiguration(options -> {
          options.retryStrategy(StandardRetryStrategy.builder().maxAttempts(attempts).build());
          int equals = header.indexOf('=');
          if (equals > 0) options.putHeader(header.substring(0, equals), header.substring(equals + 1));
        });
  }

  private static List<Message> conversation(String prompt) {
    return List.of(Message.builder().role("user").content(ContentBlock.fromText(prompt)).build());
  }

  private static SdkBytes invocation(String prompt) {
    return SdkBytes.fromUtf8String("{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":200,\"messages\":"
        + "[{\"role\":\"user\",\"content\":\"" + prompt + "\"}]}");
  }

  // Every event as text; with `leave` the subscription ends after the first.
  private static final class Reader<E> implements Subscriber<E> {
    final List<String> all = new ArrayList<>();
    final CompletableFuture<Void> done = new CompletableFuture<>();
    private final boolean leave;
    private Subscription subscription;

    Reader(boolean leave) { this.leave = leave; }

    @Override public void onSubscribe(Subscription made) {
      subscription = made;
      made.request(leave ? 1 : Long.MAX_VALUE);
    }

    @Override public synchronized void onNext(E event) {
      // A PayloadPart does not print its bytes.
      all.add(event instanceof PayloadPart part ? part.bytes().asUtf8String() : event.toString());
      if (leave) {
        subscription.cancel();
        done.complete(null);
      }
    }

    @Override public void onError(Throwable problem) { done.completeExceptionally(problem); }
    @Override public void onComplete() { done.complete(null); }

    String join(CompletableFuture<Void> call) {
      if (leave) {
        done.join();
        call.cancel(true);
        return "left";
      }
      call.join();
      done.join();
      return String.join(" ", all);
    }
  }

  private String converseStream(String prompt, boolean leave) {
    var request = ConverseStreamRequest.builder().modelId(PROFILE).messages(conversation(prompt)).build();
    var reader = new Reader<Object>(leave);
    var handler = ConverseStreamResponseHandler.builder()
        .onEventStream(events -> events.subscribe(reader))
        .onError(reader::onError)
        .build();
    return reader.join(async.converseStream(request, handler));
  }

  private String invokeStream(String prompt, boolean leave) {
    var request = InvokeModelWithResponseStreamRequest.builder().modelId(PROFILE).body(invocation(prompt)).build();
    var reader = new Reader<Object>(leave);
    var handler = InvokeModelWithResponseStreamResponseHandler.builder()
        .onEventStream(events -> events.subscribe(reader))
        .onError(reader::onError)
        .build();
    return reader.join(async.invokeModelWithResponseStream(request, handler));
  }

  // Sends each word only when the echo of the one before it is there.
  private String bothWays(List<String> words) {
    var events = new SimplePublisher<InvokeModelWithBidirectionalStreamInput>();
    var echoed = new ArrayList<String>();  // written by the one thread that gives the events
    Runnable sendNext = () -> {
      if (echoed.size() == words.size()) {
        events.complete();
      } else {
        events.send(InvokeModelWithBidirectionalStreamInput.chunkBuilder()
            .bytes(SdkBytes.fromUtf8String(words.get(echoed.size()))).build());
      }
    };
    var handler = InvokeModelWithBidirectionalStreamResponseHandler.builder()
        .onEventStream(answer -> answer.subscribe(event -> {
          echoed.add(((BidirectionalOutputPayloadPart) event).bytes().asUtf8String());
          sendNext.run();
        }))
        .build();
    sendNext.run();
    async.invokeModelWithBidirectionalStream(
        InvokeModelWithBidirectionalStreamRequest.builder().modelId(ECHO).build(), events, handler).join();
    return "came back: " + echoed.equals(words);
  }

  private InvokeModelResponse invoke(InvokeModelRequest request) {
    return sync != null ? sync.invokeModel(request) : async.invokeModel(request).join();
  }

  private String call(String operation, int size, int index, boolean leave) {
    String question = "Why is the sky blue?";
    String prompt = question + "x".repeat(Math.max(0, size - question.length()));
    switch (operation) {
      case "Converse": {
        var request = ConverseRequest.builder().modelId(PROFILE).messages(conversation(prompt)).build();
        return (sync != null ? sync.converse(request) : async.converse(request).join()).toString();
      }
      case "CountTokens": {
        var request = CountTokensRequest.builder()
            .modelId(PROFILE)
            .input(input -> input.converse(converse -> converse.messages(conversation(prompt))))
            .build();
        return (sync != null ? sync.countTokens(request) : async.countTokens(request).join()).toString();
      }
      case "ApplyGuardrail": {
        var request = ApplyGuardrailRequest.builder()
            .guardrailIdentifier("abcdefghij12").guardrailVersion("DRAFT").source("INPUT")
            .content(GuardrailContentBlock.fromText(text -> text.text(prompt)))
            .build();
        return (sync != null ? sync.applyGuardrail(request) : async.applyGuardrail(request).join()).toString();
      }
      case "InvokeGuardrailChecks": {
        var request = InvokeGuardrailChecksRequest.builder()
            .messages(message -> message.role("user").content(content -> content.text(prompt)))
            .checks(checks -> checks.contentFilter(filter -> filter.categories(asked -> asked.category("HATE"))))
            .build();
        return (sync != null ? sync.invokeGuardrailChecks(request) : async.invokeGuardrailChecks(request).join()).toString();
      }
      case "StartAsyncInvoke": {
        var request = StartAsyncInvokeRequest.builder()
            .clientRequestToken("one-token").modelId("amazon.nova-reel-v1:0")
            .modelInput(Document.mapBuilder().putString("text", prompt).build())
            .outputDataConfig(output -> output.s3OutputDataConfig(s3 -> s3.s3Uri("s3://example/output")))
            .build();
        return (sync != null ? sync.startAsyncInvoke(request) : async.startAsyncInvoke(request).join()).toString();
      }
      case "GetAsyncInvoke": {
        var request = GetAsyncInvokeRequest.builder().invocationArn(INVOCATION).build();
        return (sync != null ? sync.getAsyncInvoke(request) : async.getAsyncInvoke(request).join()).toString();
      }
      case "ListAsyncInvokes": {
        var request = ListAsyncInvokesRequest.builder()
            .statusEquals("Completed").maxResults(1).sortOrder("Descending")
            .submitTimeAfter(Instant.parse("2024-01-01T00:00:00Z"))
            .build();
        return (sync != null ? sync.listAsyncInvokes(request) : async.listAsyncInvokes(request).join()).toString();
      }
      case "InvokeModelWithBidirectionalStream":
        return bothWays(List.of("one", "x".repeat(size), "three"));
      case "InvokeModel":
        return invoke(InvokeModelRequest.builder().modelId(PROFILE).body(invocation(prompt)).build()).body().asUtf8String();
      case "Echo": {
        byte[] sent = new byte[size];
        Arrays.fill(sent, (byte) index);
        var request = InvokeModelRequest.builder().modelId(ECHO).body(SdkBytes.fromByteArrayUnsafe(sent)).build();
        return "came back: " + Arrays.equals(sent, invoke(request).body().asByteArrayUnsafe());
      }
      case "ConverseStream":
        return converseStream(prompt, leave);
      case "InvokeModelWithResponseStream":
        return invokeStream(prompt, leave);
      default:
        throw new IllegalArgumentException(operation);
    }
  }

  private String outcome(String operation, int size, int index, boolean leave) {
    try {
      return "answer " + call(operation, size, index, leave).replaceAll("\\s+", " ");
    } catch (Exception caught) {
      Throwable problem = caught;
      while (problem instanceof CompletionException && problem.getCause() != null) problem = problem.getCause();
      String message = problem instanceof AwsServiceException service && service.awsErrorDetails() != null
          ? service.awsErrorDetails().errorMessage()
          : problem.getMessage();
      return "error " + problem.getClass().getSimpleName() + " " + String.valueOf(message).replaceAll("\\s+", " ");
    }
  }

  @Override public void close() {
    if (sync != null) sync.close();
    if (async != null) async.close();
  }

  public static void main(String[] arguments) throws Exception {
    System.out.println("software.amazon.awssdk:bedrockruntime " + VersionInfo.SDK_VERSION + ", Java "
        + System.getProperty("java.version"));
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Client> kept = new ArrayList<>();  // so that an abort is not the doing of close()
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split(" ");
      int size = Integer.parseInt(words[4]);
      boolean leave = words[6].equals("leave");
      var client = new Client(arguments[0], words[1], Integer.parseInt(words[2]), words[3]);
      List<Future<String>> calls = new ArrayList<>();
      for (int i = 0; i < Integer.parseInt(words[5]); i++) {
        int index = i;
        calls.add(threads.submit(() -> client.outcome(words[0], size, index, leave)));
      }
      var outcomes = new TreeSet<String>();
      for (Future<String> each : calls) outcomes.add(each.get());
      System.out.println(String.join(" || ", outcomes));
      if (leave) {
        kept.add(client);
      } else {
        client.close();
      }
    }
    kept.forEach(Client::close);
    threads.shutdown();
  }
}
