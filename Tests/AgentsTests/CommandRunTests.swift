import Chat
import ChatProtocol
import Glibc
import Reactor
import Synchronization
import Testing
import Wire

@testable import Agents

/// A shell's script as an agent, with time limits that a test can wait for.
private func script(_ text: String, _ configure: (inout CommandSettings) -> Void = { _ in }) -> AgentConfiguration {
    command(
        ["/bin/sh", "-c", "say() { printf '{\"type\":\"text\",\"delta\":\"%s\"}\\n' \"$1\"; }\n" + text], configure)
}

private func command(
    _ command: [String], _ configure: (inout CommandSettings) -> Void = { _ in }
) -> AgentConfiguration {
    var settings = CommandSettings(command: command)
    settings.terminationGraceSeconds = 1
    configure(&settings)
    return AgentConfiguration(agentType: "model", connector: .command(settings))
}

private let finished = #"echo '{"type":"finished"}'"#

/// What a program does and how its run ends.
struct CommandCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let script: String
    var text = ""
    let end: AgentEnd

    private static func failed(_ sentence: String) -> AgentEnd { .failed(.agentFailed, "the agent" + sentence) }

    static let all: [CommandCase] = [
        CommandCase(
            testDescription: "an answer", script: "read turn; say 'Hel'; say lo; \(finished)", text: "Hello",
            end: .finished(reason: "stop")),
        CommandCase(
            testDescription: "an answer without a last line feed and without reading the turn",
            script: #"say Hi; printf '{"type":"finished","finish_reason":"length"}'"#, text: "Hi",
            end: .finished(reason: "length")),
        CommandCase(
            testDescription: "a process that lives on when it has finished", script: "say Hi; \(finished); sleep 1000",
            text: "Hi", end: .finished(reason: "stop")),
        CommandCase(
            testDescription: "a process that fails when it has finished", script: "say Hi; \(finished); exit 7",
            text: "Hi", end: .finished(reason: "stop")),
        CommandCase(
            testDescription: "a grandchild that holds the output", script: "say Hi; sleep 1000 & \(finished)",
            text: "Hi", end: .finished(reason: "stop")),
        CommandCase(
            testDescription: "a grandchild that holds the output of a process that failed",
            script: "say Hi; sleep 1000 & exit 4", text: "Hi",
            end: failed("'s command ended with exit status 4 before it had finished")),
        CommandCase(
            testDescription: "a grandchild out of reach that holds the output",
            script: "say Hi; setsid sleep 5 & exit 4", text: "Hi",
            end: failed("'s command ended with exit status 4 before it had finished")),
        CommandCase(
            testDescription: "an early end", script: "say Hi", text: "Hi",
            end: failed("'s command ended with exit status 0 before it had finished")),
        CommandCase(
            testDescription: "a crash", script: "say Hi; kill -KILL $$", text: "Hi",
            end: failed("'s command was killed by signal 9 before it had finished")),
        CommandCase(
            testDescription: "a closed output and no end", script: "say Hi; exec >&-; sleep 1000", text: "Hi",
            end: failed(" closed its output before it had finished")),
        CommandCase(
            testDescription: "garbage", script: "say Hi; echo Traceback; sleep 1000", text: "Hi",
            end: failed(" wrote a line that is not a JSON object")),
        CommandCase(
            testDescription: "a line without end", script: "say Hi; cat /dev/zero", text: "Hi",
            end: failed(" wrote a line longer than 1048576 bytes")),
        CommandCase(
            testDescription: "an error of its own", script: #"say Hi; echo '{"type":"error","message":"no luck"}'"#,
            text: "Hi", end: failed(" reported an error: no luck")),
    ]
}

struct CommandRunTests {
    /// Sends the process's id as text: it is gone when nothing has that id any more.
    private func isGone(_ text: String) -> Bool {
        guard let id = Int32(text) else { return false }
        return kill(id, 0) == -1 && errno == ESRCH
    }

    @Test(arguments: CommandCase.all) func endsAsTheProcessDoes(_ example: CommandCase) throws {
        let bench = try AgentBench([script(example.script)])
        // A turn that is larger than a pipe: not every program reads it.
        bench.start(.asking(String(repeating: "x", count: 1 << 18)))
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.text == example.text)
        #expect(transcript.ends == [example.end])
        bench.stop()
    }

    @Test(arguments: [(["/dev/null/none"], "Not a directory"), (["./no-such-program"], "No such file or directory")])
    func saysWhyAProgramCannotBeStarted(_ words: [String], _ reason: String) throws {
        let bench = try AgentBench([command(words)])
        bench.start(.asking())
        let sentence = "the agent's command cannot be started: \(reason)"
        #expect(bench.wait(for: "stream_1").ends == [.failed(.agentFailed, sentence)])
        bench.stop()
    }

    @Test func getsTheTurnOnItsInputAndNothingElse() throws {
        let program = """
            import json, os, signal, sys
            print(json.dumps({"type": "text", "delta": sys.stdin.readline()}))
            end = sys.stdin.read()
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
            print(json.dumps({"type": "action", "action": "look", "end": end,
                "files": sorted(os.listdir("/proc/self/fd")), "blocked": len(blocked),
                "leads": os.getpgrp() == os.getpid()}))
            print(json.dumps({"type": "finished"}))
            """
        let bench = try AgentBench([command(["python3", "-c", program])])
        let context = [ContextMessage(role: .user, text: "One?"), ContextMessage(role: .assistant, text: "1\n\"!\"")]
        bench.start(.asking("Grüße?", context: context, roomMetadata: ["topic": "x"], messageMetadata: ["m": 1]))
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.ends == [.finished(reason: "stop")])
        let expected: JSONValue = [
            "session_id": "session_1", "room_id": "room_1", "user_id": "ann", "agent_type": "model", "input": "Grüße?",
            "context": [["role": "user", "text": "One?"], ["role": "assistant", "text": "1\n\"!\""]],
            "metadata": ["topic": "x"], "message_metadata": ["m": 1],
            "facts": ["room_name": "Kitchen", "date": "2026-01-31", "started_at": "2026-01-31T10:00:00.000Z"],
        ]
        #expect(try JSONValue(parsing: Array(transcript.text.utf8)) == expected)
        // The fourth file is the directory that is being listed.
        #expect(
            transcript.toolCalls == [
                ["action": "look", "end": "", "files": ["0", "1", "2", "3"], "blocked": 0, "leads": true]
            ])
        bench.stop()
    }

    @Test func getsItsVariablesAndNoOthers() throws {
        setenv("HUBBUB_TEST_SECRET", "secret", 1)
        let bench = try AgentBench([
            script("say \"$MODE\"; say \"$HUBBUB_TEST_SECRET\"; say \"$HOME\"; \(finished)") {
                $0.environment = ["MODE": "fast = yes"]
            }
        ])
        bench.start(.asking())
        #expect(bench.wait(for: "stream_1").text == "fast = yes")
        bench.stop()
    }

    /// The thread that started it stands for the whole hub: the kernel looks at no more.
    @Test func aProgramEndsWithTheThreadThatStartedIt() throws {
        let id = Mutex<pid_t>(0)
        let thread = try WorkerThread(name: "short")
        thread.submit {
            let process = try? Subprocess(["sleep", "1000"], environment: [:])
            id.withLock { $0 = process?.id ?? 0 }
        }
        thread.shutdown()
        let process = id.withLock { $0 }
        #expect(process > 0)
        var status: Int32 = 0
        #expect(waitpid(process, &status, 0) == process)
        #expect(status & 0x7F == SIGKILL)
    }

    @Test func asksAProcessToEndWhenItIsCancelled() throws {
        var template = Array("/tmp/hubbub-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template)).withMemoryRebound(to: CChar.self, capacity: 1) {
            String(cString: $0)
        }
        let marker = directory + "/asked"
        let bench = try AgentBench([
            script("trap 'echo yes > \(marker); exit 0' TERM; say $$; while :; do sleep 0.01; done") {
                $0.terminationGraceSeconds = 30
            }
        ])
        bench.start(.asking())
        let text = bench.wait(for: "stream_1") { !$0.text.isEmpty }.text
        bench.cancel("stream_1", "stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        #expect(access(marker, F_OK) == 0)
        #expect(isGone(text))
        bench.cancel("stream_1")
        bench.stop()
        #expect(bench.transcript("stream_1").ends == [.cancelled])
        unlink(marker)
        rmdir(directory)
    }

    @Test func killsAProcessThatDoesNotEnd() throws {
        let bench = try AgentBench([script("trap '' TERM; say $$; while :; do sleep 1000; done")])
        bench.start(.asking())
        let text = bench.wait(for: "stream_1") { !$0.text.isEmpty }.text
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        #expect(isGone(text))
        bench.stop()
    }

    @Test func cancelsBeforeTheFirstWord() throws {
        let bench = try AgentBench([script("sleep 1000")])
        bench.start(.asking())
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
    }

    @Test func endsASilentProcess() throws {
        let bench = try AgentBench([script("say $$; sleep 1000") { $0.silentTimeoutSeconds = 2 }])
        bench.start(.asking())
        let transcript = bench.wait(for: "stream_1")
        #expect(transcript.ends == [.failed(.agentTimeout, "the agent said nothing for 2 s")])
        #expect(isGone(transcript.text))
        bench.stop()
    }

    @Test func noticesAProcessKilledFromOutside() throws {
        let bench = try AgentBench([script("say $$; exec sleep 1000")])
        bench.start(.asking())
        let id = try #require(Int32(bench.wait(for: "stream_1") { !$0.text.isEmpty }.text))
        kill(id, SIGKILL)
        let sentence = "the agent's command was killed by signal 9 before it had finished"
        #expect(bench.wait(for: "stream_1").ends == [.failed(.agentFailed, sentence)])
        bench.stop()
    }

    @Test func killsTheWholeGroup() throws {
        let bench = try AgentBench([script("sleep 1000 & say $!; exit 4")])
        bench.start(.asking())
        let text = bench.wait(for: "stream_1").text
        bench.stop()
        // Its parent is gone, so somebody else reaps it, if not at once.
        let id = try #require(Int32(text))
        while kill(id, 0) == 0, !isZombie(id) { sched_yield() }
    }

    private func isZombie(_ id: Int32) -> Bool {
        guard let file = fopen("/proc/\(id)/stat", "r") else { return true }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, 256, file) != nil else { return true }
        return line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }.contains(") Z ")
    }

    @Test func servesOthersBesideAFlood() throws {
        let bench = try AgentBench([
            script(
                #"read turn; case "$turn" in *Flood*) exec yes '{"type":"reasoning","delta":""}';; esac; "#
                    + "say Hi; \(finished)")
        ])
        bench.start(.asking("Flood", stream: "stream_1"))
        _ = bench.wait(for: "stream_1") { _ in true }
        bench.start(.asking(stream: "stream_2"))
        #expect(bench.wait(for: "stream_2").text == "Hi")
        bench.cancel("stream_1")
        #expect(bench.wait(for: "stream_1").ends == [.cancelled])
        bench.stop()
    }

    @Test func killsAndReapsAtShutdown() throws {
        let bench = try AgentBench([script("trap '' TERM; say $$; while :; do sleep 1000; done")])
        bench.start(.asking(stream: "stream_1"), .asking(stream: "stream_2"))
        let ids = ["stream_1", "stream_2"].map { bench.wait(for: $0) { !$0.text.isEmpty }.text }
        bench.stop()
        for (id, stream) in zip(ids, ["stream_1", "stream_2"]) {
            #expect(isGone(id))
            #expect(bench.transcript(stream).ends.isEmpty)
        }
    }
}
