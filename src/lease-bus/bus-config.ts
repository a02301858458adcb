// The configuration of the private dbus-daemon: who may connect, and what each may say. Pure.
import { busAddress, busNamespace } from "./bus-names.ts";

export interface BusConfig {
  readonly socketPath: string;
  readonly pidPath: string;
  /** Users beside root as whom dnsmasq may run. */
  readonly serverUsers: readonly string[];
  /** Whom the bus becomes after its start; root where there is no user for it. */
  readonly runAs: string | undefined;
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/**
 * Root may call servers; a server may take a name of ours, answer, and send signals. Nothing else, and nobody else.
 *
 * @see https://dbus.freedesktop.org/doc/dbus-daemon.1.html
 */
export function formatBusConfig({ socketPath, pidPath, serverUsers, runAs }: BusConfig): string {
  const users = serverUsers.map(escapeXml);
  return [
    '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"',
    ' "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">',
    "<!-- Made by netloom; changes are overwritten. -->",
    "<busconfig>",
    `  <listen>${escapeXml(busAddress(socketPath))}</listen>`,
    `  <pidfile>${escapeXml(pidPath)}</pidfile>`,
    ...(runAs === undefined ? [] : [`  <user>${escapeXml(runAs)}</user>`]),
    "  <auth>EXTERNAL</auth>",
    '  <apparmor mode="disabled"/>',
    '  <policy context="default">',
    '    <deny user="*"/>',
    '    <allow user="root"/>',
    ...users.map((user) => `    <allow user="${user}"/>`),
    '    <deny own="*"/>',
    '    <deny send_type="method_call"/>',
    '    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>',
    ...["method_return", "error"].map((type) => `    <allow send_requested_reply="true" send_type="${type}"/>`),
    '    <allow send_type="signal"/>',
    ...["method_call", "method_return", "error", "signal"].map((type) => `    <allow receive_type="${type}"/>`),
    "  </policy>",
    `  <policy user="root"><allow own_prefix="${busNamespace}"/><allow send_type="method_call"/></policy>`,
    ...users.map((user) => `  <policy user="${user}"><allow own_prefix="${busNamespace}"/></policy>`),
    // One connection per network; the usual 256 of one user would be the end of it.
    ...limits.map(([name, value]) => `  <limit name="${name}">${value}</limit>`),
    "</busconfig>",
    "",
  ].join("\n");
}

const limits: readonly (readonly [string, number])[] = [
  ["max_completed_connections", 60_000],
  ["max_connections_per_user", 60_000],
  ["max_incomplete_connections", 256],
  ["auth_timeout", 5000],
  ["max_message_size", 4_194_304],
  ["max_incoming_bytes", 8_388_608],
  // What waits for an agent that is slow; beyond it signals are dropped, and the lease files tell.
  ["max_outgoing_bytes", 33_554_432],
  ["max_names_per_connection", 4],
  ["max_match_rules_per_connection", 16],
  ["max_replies_per_connection", 4096],
];
