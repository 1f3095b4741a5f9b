"""An agent for the hub's `command` connector: one process per turn, the standard library only.

The turn is one line of JSON on standard input; what the agent says is one JSON object per line on standard output.
Say "weather in Paris" for a tool call, "open the papers" for an action, anything else for a plain answer.
"""

import json
import sys

FORECASTS = {"Paris": "rain", "Oslo": "snow"}


def say(type, **fields):
    """One line, at once: what stays in the buffer does not stream."""
    print(json.dumps({"type": type} | fields), flush=True)


def answer_weather(city):
    say("reasoning", delta=f"The question is about {city}.")
    say("tool_call", id="call_1", name="forecast", arguments={"city": city})
    forecast = FORECASTS.get(city, "unknown")
    say("tool_result", id="call_1", name="forecast", result={"forecast": forecast})
    for word in ("The ", "forecast ", "for ", city, " is ", forecast, "."):
        say("text", delta=word)


def open_papers():
    say("text", delta="Here they are.")
    say("action", action="open_page", url="/papers")


def answer_plainly(turn):
    earlier = len(turn["context"])
    say("text", delta=f"{turn['user_id']} in {turn['facts']['room_name']} said: {turn['input']}")
    say("text", delta=f" ({earlier} earlier messages)")


def main():
    turn = json.loads(sys.stdin.readline())
    words = turn["input"].split()
    if "weather" in words:
        answer_weather(words[-1])
    elif "papers" in words:
        open_papers()
    else:
        answer_plainly(turn)
    say("usage", prompt_tokens=len(words), completion_tokens=7, total_tokens=len(words) + 7, model="example")
    say("finished")


if __name__ == "__main__":
    main()
