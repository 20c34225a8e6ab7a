/**
 * The AsyncAPI document: every topic, who writes and who reads it, and what
 * travels on it. For people, and for programs that make clients from it.
 *
 * @module
 */
import {
  type AsyncapiChannel,
  CHANNELS,
  OTHER_MESSAGES,
  PARAMETERS,
} from "./channels.ts";
import { toJsonSchema } from "./json_schema.ts";
import { RECEIVES, type Roles, SENDS } from "./roles.ts";
import { type MessageName, messageSchemas } from "./schemas.ts";

/** The version of the MQTT bindings. */
const BINDING = { bindingVersion: "0.2.0" };

/** The document, as AsyncAPI 3.0. */
export function asyncapi(
  { version }: { version: string },
): Record<string, unknown> {
  return {
    asyncapi: "3.0.0",
    info: {
      title: "ansible-worker",
      version,
      description:
        "Ansible playbooks, asked for by MQTT 5 and run by one worker of a group. Of the two roles, controller is whoever asks, cancels and watches; worker is each of the group's workers.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: {
      broker: server({ protocol: "mqtt", port: "1883" }),
      brokerWithTls: server({ protocol: "secure-mqtt", port: "8883" }),
    },
    channels: mapped(CHANNELS, (channel: AsyncapiChannel) => ({
      ...channel,
      messages: Object.fromEntries(
        channel.messages.map((
          name,
        ) => [name, ref("components/messages", name)]),
      ),
      ...(channel.address !== null && {
        parameters: Object.fromEntries(
          Array.from(
            channel.address.matchAll(/\{(\w+)\}/g),
            ([, name]) => [name, ref("components/parameters", name!)],
          ),
        ),
      }),
    })),
    operations: {
      ...operations("send", SENDS),
      ...operations("receive", RECEIVES),
    },
    components: {
      parameters: PARAMETERS,
      messages: {
        ...mapped(messageSchemas, (_, name) => message(name)),
        ...mapped(OTHER_MESSAGES, (other, name) => ({ name, ...other })),
      },
      // Tools for AsyncAPI 3.0 read draft 07.
      schemas: mapped(messageSchemas, (schema) => {
        const { $schema: _, ...rest } = toJsonSchema(schema, {
          target: "draft-07",
        });
        return rest;
      }),
      securitySchemes: {
        password: {
          type: "userPassword",
          description:
            "A user name and a password; the broker decides what they may do.",
        },
        certificate: {
          type: "X509",
          description: "A certificate of the client's own, with TLS.",
        },
      },
      correlationIds: {
        correlationData: {
          description: "The correlation data of the request, byte for byte.",
          location: "$message.header#/correlationData",
        },
      },
    },
  };
}

function server({ protocol, port }: { protocol: string; port: string }) {
  const schemes = protocol === "mqtt"
    ? ["password"]
    : ["password", "certificate"];
  return {
    host: "{host}:{port}",
    protocol,
    protocolVersion: "5.0",
    description:
      "Needs shared subscriptions, retained messages, wildcard subscriptions and QoS 1. MQTT over WebSocket is the same.",
    variables: {
      host: { description: "mqtt.host", default: "localhost" },
      port: { description: "mqtt.port", default: port },
    },
    security: schemes.map((name) => ref("components/securitySchemes", name)),
    bindings: {
      mqtt: {
        cleanSession: false,
        lastWill: { topic: CHANNELS.presence.address, qos: 1, retain: true },
        ...BINDING,
      },
    },
  };
}

function operations(
  action: "send" | "receive",
  roles: Roles,
) {
  return Object.fromEntries(
    Object.entries(roles).flatMap(([role, all]) =>
      Object.entries(all).map(([name, operation]) => {
        const { channel, qos, retain = false, reply, summary } = operation;
        return [role + name, {
          action,
          channel: ref("channels", channel),
          summary,
          tags: [{ name: role }],
          bindings: {
            mqtt: {
              qos,
              // Who reads does not decide on it.
              ...(action === "send" && { retain }),
              ...BINDING,
            },
          },
          ...(reply && {
            reply: {
              address: {
                location: "$message.header#/responseTopic",
                description:
                  "The response topic of the request's MQTT properties.",
              },
              channel: ref("channels", reply),
            },
          }),
        }];
      })
    ),
  );
}

function message(name: MessageName) {
  const { title, description } = toJsonSchema(messageSchemas[name]);
  const isAnswer = name === "status" || name === "rejected";
  return {
    name,
    title,
    summary: description,
    contentType: "application/json",
    payload: ref("components/schemas", name),
    ...((name === "request" || isAnswer) && {
      correlationId: ref("components/correlationIds", "correlationData"),
    }),
    ...(name === "request" && {
      bindings: {
        mqtt: {
          responseTopic: {
            type: "string",
            description:
              "Where the requester wants the answers, if policy.response_topics allows it.",
          },
          correlationData: {
            type: "string",
            description: "Bytes that come back with every answer.",
          },
          ...BINDING,
        },
      },
    }),
  };
}

function ref(section: string, name: string) {
  return { $ref: `#/${section}/${name}` };
}

function mapped<T extends Record<string, unknown>>(
  record: T,
  to: (value: T[keyof T], name: keyof T & string) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map((
      [name, value],
    ) => [name, to(value as T[keyof T], name)]),
  );
}
